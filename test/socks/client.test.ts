import fc from 'fast-check'
import type { SocksClientRequest } from 'postern/socks'
import { connectSocks } from 'postern/socks'
import { readExactly } from 'postern/io'
import { formatClientArgs, parseClientArgs } from 'postern/ipc'
import { describe, expect, test } from 'vitest'
import type { PtError } from '../../src/error.ts'
import { encodeConnect5, splitArgs } from '../../src/socks/client-messages.ts'
import type { Turn } from './far-side.ts'
import { bytes, ends, failureOf, play, writeByteByByte } from './far-side.ts'

const NAME = 'www.torproject.org:443'
const CONNECT_NAME = '05 01 00 03 12 7777772e746f7270726f6a6563742e6f7267 01bb'
const GRANTED = '05 00 00 01 00000000 0000'
const GRANTED4 = '00 5a 0000 00000000'
const args = (length: number): { args: Record<string, string> } => ({ args: { k: 'v'.repeat(length - 2) } })
const vs = (length: number): string => '76'.repeat(length)

/** Each with the whole dialogue that it leads to. */
const dialogues: [title: string, request: SocksClientRequest, turns: Turn[]][] = [
  [
    'ARGS-4: an empty list needs no authentication',
    { version: 5, target: NAME, args: {} },
    [
      ['05 01 00', '05 00'],
      [CONNECT_NAME, GRANTED],
    ],
  ],
  [
    'an IPv4 target is ATYP 1',
    { version: 5, target: '192.0.2.1:80' },
    [
      ['05 01 00', '05 00'],
      ['05 01 00 01 c0000201 0050', GRANTED],
    ],
  ],
  [
    'an IPv6 target is ATYP 4',
    { version: 5, target: '[2001:db8::1]:65535' },
    [
      ['05 01 00', '05 00'],
      ['05 01 00 04 20010db8000000000000000000000001 ffff', GRANTED],
    ],
  ],
  [
    'BND may be a name',
    { version: 5, target: '192.0.2.1:80' },
    [
      ['05 01 00', '05 00'],
      ['05 01 00 01 c0000201 0050', '05 00 00 03 03 612e62 0050'],
    ],
  ],
  [
    'BND may be an empty name',
    { version: 5, target: '192.0.2.1:80' },
    [
      ['05 01 00', '05 00'],
      ['05 01 00 01 c0000201 0050', '05 00 00 03 00 0050'],
    ],
  ],
  [
    'BND may be IPv6',
    { version: 5, target: '192.0.2.1:80' },
    [
      ['05 01 00', '05 00'],
      ['05 01 00 01 c0000201 0050', '05 00 00 04 20010db8000000000000000000000001 0050'],
    ],
  ],
  [
    'ARGS-4, ARGS-5: arguments are UNAME, and PASSWD is one NUL',
    { version: 5, target: NAME, args: { k: 'v' } },
    [
      ['05 01 02', '05 02'],
      ['01 03 6b3d76 01 00', '01 00'],
      [CONNECT_NAME, GRANTED],
    ],
  ],
  [
    'ARGS-2: backslash, equal sign and semicolon are escaped',
    { version: 5, target: NAME, args: { 'a=': 'b;\\' } },
    [
      ['05 01 02', '05 02'],
      ['01 09 61 5c3d 3d 62 5c3b 5c5c 01 00', '01 00'],
      [CONNECT_NAME, GRANTED],
    ],
  ],
  [
    'ARGS-5: 255 bytes still fit UNAME alone',
    { version: 5, target: NAME, ...args(255) },
    [
      ['05 01 02', '05 02'],
      [`01 ff 6b3d${vs(253)} 01 00`, '01 00'],
      [CONNECT_NAME, GRANTED],
    ],
  ],
  [
    'ARGS-4: the 256th byte goes into PASSWD',
    { version: 5, target: NAME, ...args(256) },
    [
      ['05 01 02', '05 02'],
      [`01 ff 6b3d${vs(253)} 01 76`, '01 00'],
      [CONNECT_NAME, GRANTED],
    ],
  ],
  [
    'ARGS-4: 510 bytes fill UNAME and PASSWD',
    { version: 5, target: NAME, ...args(510) },
    [
      ['05 01 02', '05 02'],
      [`01 ff 6b3d${vs(253)} ff ${vs(255)}`, '01 00'],
      [CONNECT_NAME, GRANTED],
    ],
  ],
  [
    'a proxy may ask for the credentials',
    { version: 5, target: NAME, credentials: { user: 'hello', password: 'world' } },
    [
      ['05 02 02 00', '05 02'],
      ['01 05 68656c6c6f 05 776f726c64', '01 00'],
      [CONNECT_NAME, GRANTED],
    ],
  ],
  [
    'a proxy may do without the credentials',
    { version: 5, target: NAME, credentials: { user: 'a', password: 'b' } },
    [
      ['05 02 02 00', '05 00'],
      [CONNECT_NAME, GRANTED],
    ],
  ],
  [
    'the version of the login answer is not looked at',
    { version: 5, target: NAME, args: { k: 'v' } },
    [
      ['05 01 02', '05 02'],
      ['01 03 6b3d76 01 00', '05 00'],
      [CONNECT_NAME, GRANTED],
    ],
  ],
  [
    'ARGS-3: SOCKS 4 has the arguments in USERID',
    { version: 4, target: '1.2.3.4:80', args: { k: 'v' } },
    [['04 01 0050 01020304 6b3d76 00', GRANTED4]],
  ],
  ['SOCKS 4 without anything to say', { version: 4, target: '1.2.3.4:80' }, [['04 01 0050 01020304 00', GRANTED4]]],
  [
    'SOCKS 4 has the user of a proxy in USERID',
    { version: 4, target: '1.2.3.4:80', credentials: { user: 'tor' } },
    [['04 01 0050 01020304 746f72 00', GRANTED4]],
  ],
  [
    'SOCKS 4a has the name at the end',
    { version: 4, target: 'a.b:80', args: { k: 'v' } },
    [['04 01 0050 00000001 6b3d76 00 612e62 00', GRANTED4]],
  ],
  [
    'an address that reads as the mark of 4a is sent as a name',
    { version: 4, target: '0.0.0.1:1' },
    [['04 01 0001 00000001 00 302e302e302e31 00', GRANTED4]],
  ],
  [
    'the first byte of a SOCKS 4 reply is not looked at',
    { version: 4, target: '1.2.3.4:80' },
    [['04 01 0050 01020304 00', '04 5a 2502 01020304']],
  ],
]

describe('connectSocks', () => {
  test.each(dialogues)('%s', async (_title, request, turns) => {
    const { near, far } = ends()
    await Promise.all([connectSocks(near, request), play(far, turns)])
    expect(near.destroyed).toBe(false)
  })

  test.each(dialogues)('byte by byte: %s', async (_title, request, turns) => {
    const { near, far } = ends()
    await Promise.all([connectSocks(near, request), play(far, turns, writeByteByByte)])
  })

  test.each(dialogues)('surplus behind the reply stays in the connection: %s', async (_title, request, turns) => {
    const { near, far } = ends()
    const last = turns.length - 1
    const glued = turns.map(([send, answer], at): Turn => [send, at === last ? `${answer} 736f6f6e` : answer])
    await Promise.all([connectSocks(near, request), play(far, glued)])
    far.end('er')
    expect(String(await readExactly(near, 6))).toBe('sooner')
  })

  test.each(dialogues)('every strict prefix of the answers, then the end: %s', async (_title, request, turns) => {
    for (const [at, [send, answer]] of turns.entries()) {
      for (let length = 0; length < bytes(answer).length; length++) {
        const { near, far } = ends()
        const cut: Turn[] = [...turns.slice(0, at), [send, bytes(answer).subarray(0, length).toString('hex')]]
        const [error] = await Promise.all([failureOf(near, request), play(far, cut).then(() => far.end())])
        expect(error.code, `${length} bytes of answer ${at}`).toBe('PT_CLOSED')
      }
    }
  })
})

describe('properties', () => {
  test('ARGS-4, ARGS-5: what is cut in two reads back as the same arguments', () => {
    const word = fc.string({ unit: 'binary', minLength: 1, maxLength: 60 })
    fc.assert(
      fc.property(fc.array(fc.tuple(word, word), { minLength: 1, maxLength: 8 }), (pairs) => {
        const list = Buffer.from(formatClientArgs(pairs))
        fc.pre(list.length <= 510)
        const { uname, passwd } = splitArgs(list)
        expect(uname.length).toBe(Math.min(list.length, 255))
        expect(passwd.length).toBe(Math.max(list.length - 255, 1))
        const joined = Buffer.concat(list.length > 255 ? [uname, passwd] : [uname])
        expect([...parseClientArgs(joined.toString())]).toEqual([...parseClientArgs(list.toString())])
        if (list.length <= 255) expect([...passwd]).toEqual([0])
      }),
    )
  })

  test('an IPv6 address has the same 16 bytes in every spelling', () => {
    const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }))
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
        const expected = groups.map((value) => value.toString(16).padStart(4, '0')).join('')
        const full = groups.map((value) => value.toString(16)).join(':')
        const short = new URL(`http://[${full}]`).hostname.slice(1, -1)
        const [high = 0, low = 0] = groups.slice(6)
        const dotted = `${groups
          .slice(0, 6)
          .map((value) => value.toString(16))
          .join(':')}:${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
        for (const host of [full, short, dotted, full.toUpperCase()]) {
          expect(Buffer.from(encodeConnect5({ host, port: 1 })).toString('hex'), host).toBe(`05010004${expected}0001`)
        }
      }),
    )
  })

  test.each(['::', '::1', '1::', '::ffff:192.0.2.1', '64:ff9b::192.0.2.1'])('%s is 16 bytes long', (host) => {
    expect(encodeConnect5({ host, port: 1 })).toHaveLength(4 + 16 + 2)
  })

  test('whatever a server answers is an error or a success, and nothing hangs', async () => {
    const answer = fc.uint8Array({ maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(answer, fc.constantFrom<4 | 5>(4, 5), async (answer, version) => {
        const { near, far } = ends()
        far.end(answer)
        far.resume()
        const outcome = await connectSocks(near, { version, target: '192.0.2.1:80' }).catch(
          (error: PtError) => error.code,
        )
        expect([undefined, 'PT_SOCKS', 'PT_SOCKS_REFUSED', 'PT_CLOSED']).toContain(outcome)
      }),
    )
  })
})
