import { describe, expect, test } from 'vitest'
import { isPtError } from '../../src/index.ts'
import type { SocksRequest } from '../../src/socks/index.ts'
import type { Outcome } from './dialogue.ts'
import { converse, hex, openPair, openSockets } from './dialogue.ts'

const OK5 = '0500 0001 00000000 0000'
const OK4 = '005a 0000 00000000'
const NO4 = '005b 0000 00000000'
const no5 = (code: number): string => `050${code} 0001 00000000 0000`

interface Good {
  readonly what: string
  readonly sent: readonly string[]
  /** What the server says to each, and to all of them together. */
  readonly answers: readonly string[]
  readonly version: 4 | 5
  readonly target: string
  readonly args: readonly (readonly [string, string])[]
}

const UNAME_255 = `6b3d${'78'.repeat(253)}`

const good: readonly Good[] = [
  {
    what: 'ARCH-3: SOCKS 5 without arguments',
    sent: ['05 01 00', '05 01 00 01 7f000001 235a'],
    answers: ['0500', OK5],
    version: 5,
    target: '127.0.0.1:9050',
    args: [],
  },
  {
    what: 'ARGS-1, ARGS-5: arguments in UNAME, a single NUL as PASSWD',
    sent: ['05 02 00 02', '01 07 613d313b623d32 01 00', '05 01 00 01 c6336401 01bb'],
    answers: ['0502', '0100', OK5],
    version: 5,
    target: '198.51.100.1:443',
    args: [
      ['a', '1'],
      ['b', '2'],
    ],
  },
  {
    what: 'ARGS-4: arguments that go on in PASSWD, cut behind a backslash',
    sent: ['05 01 02', '01 04 6b3d615c 02 3b62', '05 01 00 03 0b 6578616d706c652e636f6d 0050'],
    answers: ['0502', '0100', OK5],
    version: 5,
    target: 'example.com:80',
    args: [['k', 'a;b']],
  },
  {
    what: 'ARGS-4: a UNAME of 255 bytes, and a PASSWD that begins with NUL but is longer',
    sent: ['05 01 02', `01 ff ${UNAME_255} 02 0079`, '05 01 00 01 7f000001 0050'],
    answers: ['0502', '0100', OK5],
    version: 5,
    target: '127.0.0.1:80',
    args: [['k', `${'x'.repeat(253)}\0y`]],
  },
  {
    what: 'arguments cut inside a UTF-8 sequence',
    sent: ['05 01 02', '01 03 6b3dc3 01 a9', '05 01 00 01 7f000001 0050'],
    answers: ['0502', '0100', OK5],
    version: 5,
    target: '127.0.0.1:80',
    args: [['k', 'é']],
  },
  {
    what: 'an IPv6 address, in brackets and shortened',
    sent: ['05 01 00', '05 01 00 04 f000000000000000000000000000ff11 1f90'],
    answers: ['0500', OK5],
    version: 5,
    target: '[f000::ff11]:8080',
    args: [],
  },
  {
    what: 'a domain that is an IPv6 address',
    sent: ['05 01 00', '05 01 00 03 03 3a3a31 0050'],
    answers: ['0500', OK5],
    version: 5,
    target: '[::1]:80',
    args: [],
  },
  {
    what: 'a domain that is an IPv6 address in brackets, as a URL has it',
    sent: ['05 01 00', '05 01 00 03 05 5b3a3a315d 0050'],
    answers: ['0500', OK5],
    version: 5,
    target: '[::1]:80',
    args: [],
  },
  {
    what: 'a domain that is an IPv4 address in brackets',
    sent: ['05 01 00', '05 01 00 03 0b 5b3132372e302e302e315d 0050'],
    answers: ['0500', OK5],
    version: 5,
    target: '127.0.0.1:80',
    args: [],
  },
  {
    what: 'SOCKS 4a with a name that is an IPv6 address in brackets',
    sent: ['04 01 0050 00000001 00 5b3a3a315d 00'],
    answers: [OK4],
    version: 4,
    target: '[::1]:80',
    args: [],
  },
  {
    what: 'many methods, GSSAPI and private ones among them',
    sent: ['05 05 01 03 80 fe 00', '05 01 00 01 00000001 0001'],
    answers: ['0500', OK5],
    version: 5,
    target: '0.0.0.1:1',
    args: [],
  },
  {
    what: 'ARCH-2: SOCKS 4 without a user id',
    sent: ['04 01 0050 cb007107 00'],
    answers: [OK4],
    version: 4,
    target: '203.0.113.7:80',
    args: [],
  },
  {
    what: 'ARCH-2, ARGS-3: SOCKS 4 with arguments in USERID',
    sent: ['04 01 0050 cb007107 613d313b613d32 00'],
    answers: [OK4],
    version: 4,
    target: '203.0.113.7:80',
    args: [
      ['a', '1'],
      ['a', '2'],
    ],
  },
  {
    what: 'ARCH-2, ARGS-3: SOCKS 4a with arguments and a host name',
    sent: ['04 01 01bb 00000063 6b3d76 00 7777772e6578616d706c652e636f6d 00'],
    answers: [OK4],
    version: 4,
    target: 'www.example.com:443',
    args: [['k', 'v']],
  },
  {
    what: 'SOCKS 4 with the address 0.0.0.0, which announces no name',
    sent: ['04 01 0050 00000000 00'],
    answers: [OK4],
    version: 4,
    target: '0.0.0.0:80',
    args: [],
  },
  {
    what: 'SOCKS 4 with the longest user id',
    sent: [`04 01 0050 cb007107 6b3d${'78'.repeat(4094)} 00`],
    answers: [OK4],
    version: 4,
    target: '203.0.113.7:80',
    args: [['k', 'x'.repeat(4094)]],
  },
]

/** What a client must not send: all of it, the last answer, and the error's code and message. */
const bad: readonly (readonly [what: string, sent: string, answers: string, code: string, message: RegExp])[] = [
  ['no methods', '05 00', '05ff', 'PT_SOCKS', /neither/],
  ['methods that are not served', '05 02 99 88', '05ff', 'PT_SOCKS', /neither/],
  [
    'a password message of version 3',
    '05 01 02 03 05 4142434445 05 6162636465',
    '0502 0101',
    'PT_SOCKS',
    /version is 0x03/,
  ],
  ['a password message of version 5', '05 01 02 05 01 00 01', '0502 0101', 'PT_SOCKS', /version is 0x05/],
  ['an empty user name', '05 01 02 01 00 05 6162636465', '0502 0101', 'PT_SOCKS', /user name is empty/],
  ['an empty password', '05 01 02 01 03 613d62 00', '0502 0101', 'PT_SOCKS', /password is empty/],
  ['ARGS-6: arguments without =', '05 01 02 01 05 4142434445 05 6162636465', '0502 0101', 'PT_ARGS', /expected "="/],
  ['ARGS-6: an empty key', '05 01 02 01 02 3d76 01 00', '0502 0101', 'PT_ARGS', /empty key/],
  ['ARGS-6: a backslash at the end', '05 01 02 01 03 6b3d5c 01 00', '0502 0101', 'PT_ARGS', /backslash/],
  ['ARGS-6: a semicolon at the end', '05 01 02 01 04 6b3d763b 01 00', '0502 0101', 'PT_ARGS', /malformed/],
  ['ARGS-6: arguments that are not UTF-8', '05 01 02 01 03 6b3dff 01 00', '0502 0101', 'PT_ARGS', /not UTF-8/],
  ['ARGS-6: half a surrogate pair', '05 01 02 01 05 6b3deda080 01 00', '0502 0101', 'PT_ARGS', /not UTF-8/],
  [
    'a request of version 3',
    '05 01 00 03 01 00 01 7f000001 235a',
    `0500 ${no5(1)}`,
    'PT_SOCKS',
    /version of the request/,
  ],
  ['BIND', '05 01 00 05 02 00 01 7f000001 235a', `0500 ${no5(7)}`, 'PT_SOCKS', /command 0x02/],
  ['UDP ASSOCIATE', '05 01 00 05 03 00 01 7f000001 235a', `0500 ${no5(7)}`, 'PT_SOCKS', /command 0x03/],
  ["Tor's RESOLVE", '05 01 00 05 f0 00 01 7f000001 235a', `0500 ${no5(7)}`, 'PT_SOCKS', /command 0xf0/],
  ['a reserved byte that is set', '05 01 00 05 01 01 01 7f000001 235a', `0500 ${no5(1)}`, 'PT_SOCKS', /reserved/],
  ['address type 2', '05 01 00 05 01 00 02 7f000001 235a', `0500 ${no5(8)}`, 'PT_SOCKS', /address type 0x02/],
  ['address type 5', '05 01 00 05 01 00 05 7f000001 235a', `0500 ${no5(8)}`, 'PT_SOCKS', /address type 0x05/],
  ['an empty domain', '05 01 00 05 01 00 03 00 235a', `0500 ${no5(1)}`, 'PT_SOCKS', /name is empty/],
  [
    'a domain with a line break',
    '05 01 00 05 01 00 03 04 610d0a62 0050',
    `0500 ${no5(1)}`,
    'PT_SOCKS',
    /other than letters/,
  ],
  ['a domain with a NUL', '05 01 00 05 01 00 03 03 610062 0050', `0500 ${no5(1)}`, 'PT_SOCKS', /other than letters/],
  ['a domain with a colon', '05 01 00 05 01 00 03 03 613a31 0050', `0500 ${no5(1)}`, 'PT_SOCKS', /other than letters/],
  [
    'a domain that is not ASCII',
    '05 01 00 05 01 00 03 02 c3a9 0050',
    `0500 ${no5(1)}`,
    'PT_SOCKS',
    /other than letters/,
  ],
  ['SOCKS 4 BIND', '04 02 0050 7f000001 00', NO4, 'PT_SOCKS', /command 0x02/],
  ['ARGS-6: SOCKS 4 with a user id without =', '04 01 0050 7f000001 616e6e61 00', NO4, 'PT_ARGS', /expected "="/],
  ['ARGS-6: SOCKS 4 with a user id that is not UTF-8', '04 01 0050 7f000001 6b3dff 00', NO4, 'PT_ARGS', /not UTF-8/],
  [
    'SOCKS 4 with a long user id',
    `04 01 0050 7f000001 6b3d${'78'.repeat(4095)} 00`,
    NO4,
    'PT_SOCKS',
    /longer than 4096/,
  ],
  [
    'SOCKS 4 with an endless user id',
    `04 01 0050 7f000001 ${'78'.repeat(100_000)}`,
    NO4,
    'PT_SOCKS',
    /longer than 4096/,
  ],
  ['SOCKS 4a with an empty name', '04 01 0050 00000001 00 00', NO4, 'PT_SOCKS', /name is empty/],
  ['SOCKS 4a with a long name', `04 01 0050 00000001 00 ${'78'.repeat(256)} 00`, NO4, 'PT_SOCKS', /longer than 255/],
  ['SOCKS 4a with a line break', '04 01 0050 00000001 00 610d0a 00', NO4, 'PT_SOCKS', /other than letters/],
  ['an HTTP request', Buffer.from('GET http://x/ HTTP/1.1\r\n\r\n').toString('hex'), '', 'PT_SOCKS', /HTTP client/],
  ['an HTTP CONNECT', Buffer.from('CONNECT x:1 HTTP/1.1\r\n\r\n').toString('hex'), '', 'PT_SOCKS', /HTTP client/],
  ['TLS', '16 03 01 02 00 01', '', 'PT_SOCKS', /TLS client/],
  ['version 6', '06 01 00', '', 'PT_SOCKS', /0x06, neither/],
]

function expectRequest({ request, error, received }: Outcome, row: Good, surplus = ''): void {
  expect(error).toBeUndefined()
  expect(request).toMatchObject({ version: row.version, target: row.target })
  expect(request?.args.toJSON()).toEqual(row.args)
  expect(received.toString('hex')).toBe(hex(row.answers.join('') + surplus).toString('hex'))
}

describe.each(good)('$what', (row) => {
  const whole = Buffer.concat(row.sent.map(hex))

  test('is read when each message comes by itself', async () => {
    expectRequest(await converse(await openSockets(), row.sent.map(hex), { fin: true }), row)
  })

  test('is read byte by byte, and payload behind it stays in the connection', async () => {
    const chunks = Array.from(Buffer.concat([whole, hex('cafe')]), (byte) => Uint8Array.of(byte))
    expectRequest(await converse(openPair(), chunks, { fin: true }), row, 'cafe')
  })

  test('is read when all of it, payload and the end come in one segment', async () => {
    const chunk = Buffer.concat([whole, Buffer.alloc(20_000, 0x2a)])
    expectRequest(await converse(await openSockets(), [chunk], { fin: true }), row, '2a'.repeat(20_000))
  })

  // The longest user id repeats one byte: a few of its prefixes say what all 4,000 would.
  const step = Math.ceil(whole.length / 300)
  const prefixes = Array.from({ length: Math.ceil(whole.length / step) }, (_, index) => whole.subarray(0, index * step))

  test('is PT_CLOSED where the client hangs up before its last byte', async () => {
    await Promise.all(
      prefixes.map(async (prefix) => {
        const { error, received } = await converse(await openSockets(), [prefix], { fin: true })
        expect(error, `${prefix.length} bytes`).toMatchObject({ code: 'PT_CLOSED' })
        expect(hex(row.answers.slice(0, -1).join('')).subarray(0, received.length)).toEqual(received)
      }),
    )
  })

  test('is PT_TIMEOUT, and cut, where the client stops before its last byte', async () => {
    await Promise.all(
      prefixes.map(async (prefix) => {
        const { error } = await converse(await openSockets(), [prefix], { handshakeTimeout: 100 })
        expect(error, `${prefix.length} bytes`).toMatchObject({ code: 'PT_TIMEOUT' })
      }),
    )
  })
})

describe.each(bad)('%s', (_what, sent, answers, code, message) => {
  const expectFailure = ({ request, error, received }: Outcome): void => {
    expect(request).toBeUndefined()
    expect(isPtError(error)).toBe(true)
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) })
    expect(received.toString('hex')).toBe(hex(answers).toString('hex'))
  }

  test('is answered, and the connection closed', async () => {
    expectFailure(await converse(await openSockets(), [hex(sent)]))
  })

  test('is answered alike when it comes byte by byte', async () => {
    const bytes = Array.from(hex(sent).subarray(0, 5000), (byte) => Uint8Array.of(byte))
    expectFailure(await converse(openPair(), bytes))
  })
})

test('errors repeat neither arguments nor host name', async () => {
  const secret = Buffer.from('secret').toString('hex')
  for (const sent of [
    `05 01 02 01 06 ${secret} 01 00`,
    `04 01 0050 7f000001 ${secret} 00`,
    `05 01 00 05 01 00 03 07 ${secret}0a 0050`,
    `04 01 0050 00000001 00 ${secret}0a 00`,
  ]) {
    const { error } = await converse(await openSockets(), [hex(sent)])
    expect(error).toBeInstanceOf(Error)
    expect(JSON.stringify([error, String(error), (error as Error).stack])).not.toContain('secret')
  }
})

test('ARGS-1: password is chosen before no authentication, whatever their order, unless told otherwise', async () => {
  for (const [offered, prefer, chosen] of [
    ['05 02 00 02', undefined, '0502'],
    ['05 02 02 00', 'auth', '0502'],
    ['05 02 02 00', 'none', '0500'],
    ['05 01 02', 'none', '0502'],
    ['05 01 00', 'auth', '0500'],
  ] as const) {
    const { received } = await converse(await openSockets(), [hex(offered)], {
      fin: true,
      ...(prefer !== undefined && { prefer }),
    })
    expect(received.toString('hex')).toBe(chosen)
  }
})

test('a request is answered once: what comes after the first answer does nothing', async () => {
  const failure = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
  const both = [
    [no5(5), (request: SocksRequest) => (request.refuse(failure), request.grant(), request.refuse(failure))],
    [OK5, (request: SocksRequest) => (request.grant(), request.grant())],
  ] as const
  for (const [reply, answer] of both) {
    const { received } = await converse(await openSockets(), [hex('05 01 00 05 01 00 01 7f000001 0050')], {
      answer: (request, conn) => {
        answer(request)
        conn.end()
        conn.resume()
      },
    })
    expect(received.toString('hex')).toBe(hex(`0500 ${reply}`).toString('hex'))
  }
})
