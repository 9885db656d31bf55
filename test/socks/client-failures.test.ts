import type { SocksClientRequest } from 'postern/socks'
import { describe, expect, test } from 'vitest'
import { settle } from '../io/streams.ts'
import type { Turn } from './far-side.ts'
import { ends, failureOf, play } from './far-side.ts'

const NAME = 'www.torproject.org:443'
const CONNECT_NAME = '05 01 00 03 12 7777772e746f7270726f6a6563742e6f7267 01bb'

describe('a server that refuses or breaks the protocol', () => {
  const plain: SocksClientRequest = { version: 5, target: '192.0.2.1:80' }
  const withArgs: SocksClientRequest = { ...plain, args: { k: 'v' } }
  const withUser: SocksClientRequest = { ...plain, credentials: { user: 'u', password: 'p' } }
  const four: SocksClientRequest = { version: 4, target: '1.2.3.4:80' }
  const connect = '05 01 00 01 c0000201 0050'
  const connect4 = '04 01 0050 01020304 00'
  const reply = (code: string): Turn[] => [
    ['05 01 00', '05 00'],
    [connect, `05 ${code} 00 01 00000000 0000`],
  ]

  const failures: [title: string, SocksClientRequest, Turn[], code: string, message: RegExp, reply?: number][] = [
    ['reply 1', plain, reply('01'), 'PT_SOCKS_REFUSED', /reply 1: general SOCKS server failure/, 1],
    ['reply 2', plain, reply('02'), 'PT_SOCKS_REFUSED', /reply 2: connection not allowed by ruleset/, 2],
    ['reply 3', plain, reply('03'), 'PT_SOCKS_REFUSED', /reply 3: network unreachable/, 3],
    ['reply 4', plain, reply('04'), 'PT_SOCKS_REFUSED', /reply 4: host unreachable/, 4],
    ['reply 5', plain, reply('05'), 'PT_SOCKS_REFUSED', /reply 5: connection refused/, 5],
    ['reply 6', plain, reply('06'), 'PT_SOCKS_REFUSED', /reply 6: TTL expired/, 6],
    ['reply 7', plain, reply('07'), 'PT_SOCKS_REFUSED', /reply 7: command not supported/, 7],
    ['reply 8', plain, reply('08'), 'PT_SOCKS_REFUSED', /reply 8: address type not supported/, 8],
    ['a reply without a meaning', plain, reply('f0'), 'PT_SOCKS_REFUSED', /reply 240: no known meaning/, 240],
    [
      'a refusal without its address',
      plain,
      [
        ['05 01 00', '05 00'],
        [connect, '05 05 00 01'],
      ],
      'PT_SOCKS_REFUSED',
      /5/,
      5,
    ],
    ...(
      [
        ['cut behind the verdict', '05 05'],
        ['with address type 0', '05 05 00 00'],
        ['with another reserved byte and type', '05 05 07 09 ff'],
      ] as const
    ).map(([what, answer]): (typeof failures)[number] => [
      `a refusal ${what}`,
      plain,
      [
        ['05 01 00', '05 00'],
        [connect, answer],
      ],
      'PT_SOCKS_REFUSED',
      /reply 5: connection refused/,
      5,
    ]),
    ['a refusal of SOCKS 4 cut behind the verdict', four, [[connect4, '00 5b']], 'PT_SOCKS_REFUSED', /reply 91/, 91],
    [
      'an unknown address type',
      plain,
      [
        ['05 01 00', '05 00'],
        [connect, '05 00 00 02'],
      ],
      'PT_SOCKS',
      /address type 2/,
    ],
    [
      'a reply of version 4',
      plain,
      [
        ['05 01 00', '05 00'],
        [connect, '04 5a 00 01'],
      ],
      'PT_SOCKS',
      /found byte 4/,
    ],
    ['HTTP', plain, [['05 01 00', '4854']], 'PT_SOCKS', /found byte 72: is this a SOCKS 5 server/],
    ['no method', plain, [['05 01 00', '05 ff']], 'PT_SOCKS_REFUSED', /wants an authentication that was not offered/],
    [
      'no method for a user',
      withUser,
      [['05 02 02 00', '05 ff']],
      'PT_SOCKS_REFUSED',
      /takes no user name and password/,
    ],
    ['an unknown method', withUser, [['05 02 02 00', '05 01']], 'PT_SOCKS', /method 1, which was not offered/],
    ['a password unasked', plain, [['05 01 00', '05 02']], 'PT_SOCKS', /method 2, which was not offered/],
    [
      'ARGS-4: a PT that would drop the arguments',
      withArgs,
      [['05 01 02', '05 00']],
      'PT_SOCKS',
      /method 0, which was not/,
    ],
    [
      'a login that fails',
      withArgs,
      [
        ['05 01 02', '05 02'],
        ['01 03 6b3d76 01 00', '01 01'],
      ],
      'PT_SOCKS_REFUSED',
      /status 1/,
    ],
    [
      'SOCKS 4 reply 91',
      four,
      [[connect4, '00 5b 0000 00000000']],
      'PT_SOCKS_REFUSED',
      /reply 91: request rejected/,
      91,
    ],
    ['SOCKS 4 reply 92', four, [[connect4, '00 5c 0000 00000000']], 'PT_SOCKS_REFUSED', /reply 92: no identd/, 92],
    ['SOCKS 4 reply 93', four, [[connect4, '00 5d 0000 00000000']], 'PT_SOCKS_REFUSED', /reply 93: identd names/, 93],
    ['SOCKS 4 reply 0', four, [[connect4, '00 00 0000 00000000']], 'PT_SOCKS_REFUSED', /reply 0: no known/, 0],
  ]

  test.each(failures)('%s', async (_title, request, turns, code, message, reply) => {
    const { near, far } = ends()
    const [error] = await Promise.all([failureOf(near, request), play(far, turns)])
    expect(error).toMatchObject({ code, reply, message: expect.stringMatching(message) })
  })
})

describe('what cannot be sent', () => {
  const target = '192.0.2.1:80'
  const requests: [title: string, SocksClientRequest, code: string, message: RegExp][] = [
    [
      'ARGS-4: 511 bytes are an error and no cut',
      { version: 5, target, args: { k: 'v'.repeat(509) } },
      'PT_ARGS',
      /511 bytes .* at most 510/,
    ],
    [
      'ARGS-4, ARGS-5: a 256th byte that is NUL, which would be read as the filler of 255',
      { version: 5, target, args: { k: `${'v'.repeat(253)}\0` } },
      'PT_ARGS',
      /NUL as byte 256/,
    ],
    ['an empty key', { version: 5, target, args: { '': 'v' } }, 'PT_ARGS', /empty key/],
    ['a NUL in USERID', { version: 4, target, args: { k: '\0' } }, 'PT_ARGS', /NUL/],
    ['a NUL in the user name of SOCKS 4', { version: 4, target, credentials: { user: 'a\0' } }, 'PT_ARGS', /NUL/],
    [
      'a password with SOCKS 4',
      { version: 4, target, credentials: { user: 'a', password: 's' } },
      'PT_ARGS',
      /no passwords/,
    ],
    [
      'a user beside arguments',
      { version: 5, target, args: { k: 'v' }, credentials: { user: 'a', password: 's' } },
      'PT_ARGS',
      /no room/,
    ],
    [
      'a user beside arguments in SOCKS 4',
      { version: 4, target, args: { k: 'v' }, credentials: { user: 'a' } },
      'PT_ARGS',
      /no room/,
    ],
    [
      'an empty user name',
      { version: 5, target, credentials: { user: '', password: 's' } },
      'PT_ARGS',
      /1 to 255 bytes/,
    ],
    ['a user without a password', { version: 5, target, credentials: { user: 'a' } }, 'PT_ARGS', /1 to 255 bytes/],
    [
      'a long password',
      { version: 5, target, credentials: { user: 'a', password: 's'.repeat(256) } },
      'PT_ARGS',
      /1 to 255/,
    ],
    ['a target without a port', { version: 5, target: '192.0.2.77' }, 'PT_ADDRESS', /<address>:<port>/],
    ['a target with a space', { version: 4, target: '192.0.2.77 :1' }, 'PT_ADDRESS', /<address>:<port>/],
    ['an IPv6 target with SOCKS 4', { version: 4, target: '[2001:db8::77]:1' }, 'PT_ADDRESS', /SOCKS 4 cannot carry/],
    ['an IPv6 target with a zone', { version: 5, target: '[fe80::77%eth0]:1' }, 'PT_ADDRESS', /zone/],
  ]

  test.each(requests)('%s', async (_title, request, code, message) => {
    const { near, far } = ends()
    const error = await failureOf(near, request)
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) })
    expect(error.message).not.toMatch(/77|s{3}/)
    expect(far.readableLength).toBe(0)
  })
})

describe('a negotiation that is given up', () => {
  const request: SocksClientRequest = { version: 5, target: NAME, args: { k: 'v' } }
  const turns: Turn[] = [
    ['05 01 02', '05 02'],
    ['01 03 6b3d76 01 00', '01 00'],
    [CONNECT_NAME, '05 00 00'],
  ]

  test.each([0, 1, 2, 3])('rejects with the reason and destroys the connection after %i answers', async (answers) => {
    const { near, far } = ends()
    const abort = new AbortController()
    const failure = failureOf(near, request, abort.signal)
    await play(far, turns.slice(0, answers))
    await settle()
    abort.abort(new Error('hung up'))
    expect((await failure).message).toBe('hung up')
  })

  test('sends nothing where the signal has aborted before', async () => {
    const { near, far } = ends()
    expect((await failureOf(near, request, AbortSignal.abort(new Error('too late')))).message).toBe('too late')
    expect(far.readableLength).toBe(0)
  })

  test('reports an error of the connection between two answers, and no error of it ends the process', async () => {
    const { near, far } = ends()
    const failure = failureOf(near, request)
    await play(far, turns.slice(0, 1))
    near.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
    expect(await failure).toMatchObject({ code: 'ECONNRESET' })
  })
})
