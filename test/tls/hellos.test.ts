/** Captured hellos: read, named by JA3 and JA4, held against profiles, and turned into profiles again. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isPtError } from '../../src/error.ts'
import type { CapturedHello } from '../../src/tls/hellos/client-hello.ts'
import { firstMessage, readClientHello } from '../../src/tls/hellos/client-hello.ts'
import { differences, profileDifferences } from '../../src/tls/hellos/compare.ts'
import { ja3, ja4 } from '../../src/tls/hellos/fingerprints.ts'
import type { About } from '../../src/tls/hellos/learn.ts'
import { hellosNeeded, learnProfile } from '../../src/tls/hellos/learn.ts'
import { nearestProfile } from '../../src/tls/hellos/nearest.ts'
import { sampleHello } from '../../src/tls/hellos/sample.ts'
import { profiles } from '../../src/tls/index.ts'
import type { EchPayload, Profile, ProfileExtension } from '../../src/tls/index.ts'
import { profileFault } from '../../src/tls/profiles/check.ts'
import { suiteOf } from '../../src/tls/suites.ts'
import type { Ticket } from '../../src/tls/tickets.ts'
import { captured } from './client-hello.ts'

const ticket: Ticket = {
  suite: suiteOf(0x1302)!,
  psk: Buffer.alloc(48, 1),
  bytes: Buffer.alloc(240, 2),
  ageAdd: 0xfffffff0,
  received: Date.now(),
  lifetime: 1000,
  certificates: [],
}

/** What each program sent, by what independent programs made of it. */
const table = [
  ['chromium-156-h2', 't13d1517h2_8daaf6152771_cb7bf5808d99', undefined, 'chromium-page'],
  ['chromium-156-websocket', 't13d1516h1_8daaf6152771_5b37b36a67c0', undefined, 'chromium-websocket'],
  [
    'chromium-156-websocket-psk',
    't13d1517h1_8daaf6152771_c4a234726a38',
    'c624c3dbc647f37f197e9211abaad1c5',
    'chromium-websocket',
  ],
  ['firefox-153esr', 't13d1617h2_86a278354501_3cbfd9057e0d', '6447ab086255d194909d4013b1a89e87', 'firefox'],
  ['firefox-153esr-psk', 't13d1617h2_86a278354501_e6dcd7ae0a9e', undefined, 'firefox'],
] as const

/** What readClientHello refuses a hello with. Another error than PT_PROFILE is thrown on. */
function faultOf(message: Buffer): string {
  try {
    readClientHello(message)
  } catch (error) {
    if (!isPtError(error, 'PT_PROFILE')) throw error
    return error.message
  }
  return 'none'
}

describe.each(table)('%s', (name, fingerprint, other, profile) => {
  const bytes = captured(name)
  const hello = readClientHello(bytes)

  test('JA3 and JA4 are those that others give it', () => {
    expect(ja4(hello)).toBe(fingerprint)
    if (other !== undefined) expect(ja3(hello)).toBe(other)
  })

  test('keeps every rule of the profile that was made of it, which is the nearest one', () => {
    expect(differences(hello, profiles[profile])).toEqual([])
    expect(nearestProfile(hello)).toBe(profiles[profile])
  })

  test('every strict prefix of its records is waited for, and the whole is found, with what follows left alone', () => {
    const found = Array.from({ length: bytes.length }, (_, length) => firstMessage(bytes.subarray(0, length)))
    expect(found.filter((one) => one !== undefined)).toEqual([])
    const surplus = Buffer.concat([bytes, Buffer.from('1403030001', 'hex')])
    expect(firstMessage(surplus)).toEqual({ message: bytes.subarray(5), end: bytes.length })
  })

  test('every strict prefix of the message is malformed, and so is a surplus', () => {
    const message = bytes.subarray(5)
    expect(readClientHello(message)).toEqual(hello)
    const faults = Array.from({ length: message.length }, (_, length) => faultOf(message.subarray(0, length)))
    expect(faults.filter((fault) => !/^the ClientHello cannot be read: its message is malformed$/.test(fault))).toEqual(
      [],
    )
    expect(() => readClientHello(Buffer.concat([message, Buffer.of(0)]))).toThrow('its message is malformed')
    expect(() => readClientHello(Buffer.concat([bytes, Buffer.of(0)]))).toThrow('bytes after its end')
  })

  test('in records of a byte each it is the same', () => {
    const message = bytes.subarray(5)
    const records = [...message].map((byte) => Buffer.of(0x16, 3, 1, 0, 1, byte))
    expect(readClientHello(Buffer.concat(records))).toEqual(hello)
  })
})

test('a retry of Firefox, which leaves a compression out, breaks the profile in that, and in nothing else', () => {
  const found = differences(readClientHello(captured('firefox-153esr-retry')), profiles.firefox)
  expect(found.map(({ field }) => field)).toEqual(['extensions', 'compress_certificate'])
})

/** Chromium's hello, with other bytes of one extension. */
async function chromiumWith(type: number, change: (data: Buffer) => Buffer | undefined): Promise<CapturedHello> {
  const hello = readClientHello(await sampleHello(profiles['chromium-websocket']))
  const extensions = hello.extensions.flatMap((one) => {
    const data = one.type === type ? change(one.data) : one.data
    return data === undefined ? [] : [{ type: one.type, data }]
  })
  return { ...hello, extensions }
}

const replaced = (data: Buffer, at: number, value: number): Buffer => {
  const copy = Buffer.from(data)
  copy[at] = value
  return copy
}

test.each<[string, number, (data: Buffer) => Buffer | undefined]>([
  ['signature_algorithms', 0x0d, (data) => Buffer.concat([Buffer.of(0, data.length - 4), data.subarray(2, -2)])],
  ['AEAD of ECH', 0xfe0d, (data) => replaced(data, 4, 3)],
  ['status_request', 0x05, (data) => replaced(data, 0, 2)],
  ['share of GREASE', 0x33, (data) => replaced(data, 6, 1)],
  ['supported_groups', 0x0a, (data) => replaced(data, 5, 0xed)],
  ['trust_anchors', 0xca34, () => undefined],
])('a difference in %s is named', async (field, type, change) => {
  const hello = await chromiumWith(type, change)
  expect(differences(hello, profiles['chromium-websocket']).map((one) => one.field)).toContain(field)
})

describe('hellos that are malformed', () => {
  const bytes = captured('chromium-156-websocket-psk').subarray(5)
  const hello = readClientHello(bytes)
  const u16 = (value: number): Buffer => Buffer.of(value >> 8, value & 0xff)

  /** The same hello with these extensions. */
  function withExtensions(extensions: CapturedHello['extensions']): Buffer {
    const list = Buffer.concat(extensions.map(({ type, data }) => Buffer.concat([u16(type), u16(data.length), data])))
    const end = 4 + 2 + 32 + 33 + 2 + 32 + 2
    const body = Buffer.concat([bytes.subarray(4, end), u16(list.length), list])
    return Buffer.concat([Buffer.of(1, 0, body.length >> 8, body.length & 0xff), body])
  }

  test('are made right by this test', () => expect(withExtensions(hello.extensions)).toEqual(bytes))

  test.each<[string, () => Buffer]>([
    ['pre_shared_key is not its last extension', () => withExtensions(hello.extensions.toReversed())],
    [
      'the extension alpn stands in it twice',
      () =>
        withExtensions([{ type: 0x10, data: Buffer.from('00030268 32'.replace(' ', ''), 'hex') }, ...hello.extensions]),
    ],
    ['its key_share is malformed', () => withExtensions([{ type: 0x33, data: Buffer.of(0, 4, 0, 29, 0, 1) }])],
    ['its server_name is malformed', () => withExtensions([{ type: 0, data: Buffer.of(0, 0) }])],
    ['its encrypted_client_hello is malformed', () => withExtensions([{ type: 0xfe0d, data: Buffer.of(0) }])],
    ['it is another message', () => Buffer.concat([Buffer.of(2), bytes.subarray(1)])],
    ['it is longer than 32768 bytes', () => Buffer.concat([Buffer.of(1, 0, 0x80, 0), Buffer.alloc(0x8000)])],
    ['it is longer than 32768 bytes', () => Buffer.from('16030100040100ffff', 'hex')],
    ['its record is none of a handshake', () => Buffer.from('1603010000', 'hex')],
    ['its record is none of a handshake', () => Buffer.from('1602010001', 'hex')],
    ['it is cut off', () => captured('firefox-153esr').subarray(0, 100)],
    ['its message is malformed', () => Buffer.alloc(0)],
  ])('%s', (message, make) => {
    expect(() => readClientHello(make())).toThrow(`the ClientHello cannot be read: ${message}`)
  })

  test('whichever byte is changed, the hello is read or is PT_PROFILE', () => {
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
        faultOf(replaced(bytes, at, value))
      }),
      { numRuns: 3000 },
    )
  })
})

describe('a profile out of hellos', () => {
  const about: About = {
    name: 'a-name',
    browser: 'a browser',
    version: '1',
    platform: 'a system',
    date: '2026-12-01',
    source: 'a test',
  }

  /** Hellos of first and repeat visits, until everything that varies has been seen. */
  async function hellosOf(profile: Profile): Promise<CapturedHello[]> {
    const hellos: CapturedHello[] = []
    const wanted = new Set(profile.extensions.flatMap(choicesOf))
    for (let n = 0; n < 4 || wanted.size > 0; n++) {
      const hello = readClientHello(await sampleHello(profile, n % 4 === 3 ? ticket : undefined))
      hellos.push(hello)
      for (const { type, data } of hello.extensions) {
        if (type !== 0xfe0d) continue
        wanted.delete(`aead ${data.subarray(3, 5).toString('hex')}`)
        wanted.delete(`payload ${data.readUInt16BE(40)}`)
      }
    }
    return hellos
  }

  function choicesOf(one: ProfileExtension): string[] {
    if (one.kind !== 'ech_grease') return []
    const payloads = 'oneOf' in one.payload ? one.payload.oneOf.map((length) => `payload ${length}`) : []
    return [...one.aeads.map((aead) => `aead ${aead}`), ...payloads]
  }

  /** Without the order, if it means nothing; the place of a cookie has been seen by nobody. */
  function normal(profile: Profile): unknown {
    const texts = profile.extensions.filter(({ kind }) => kind !== 'cookie').map((one) => JSON.stringify(one))
    const between = profile.permuted ? texts.slice(1, -1).toSorted() : texts.slice(1, -1)
    return { ...profile, ...about, extensions: [texts[0], ...between, texts.at(-1)] }
  }

  test.each(Object.entries(profiles))('%s comes back from its own hellos', async (_, profile) => {
    const { profile: learned } = learnProfile(await hellosOf(profile), about)
    expect(normal(learned)).toEqual(normal(profile))
    expect(profileDifferences(profile, learned)).toEqual([])
  })

  test('whatever the profile, it comes back from its own hellos', async () => {
    await fc.assert(
      fc.asyncProperty(someProfile(), async (profile) => {
        expect(profileFault(profile)).toBeUndefined()
        const { profile: learned } = learnProfile(await hellosOf(profile), about)
        expect(normal(learned)).toEqual(normal(profile))
      }),
      { numRuns: 40 },
    )
  })

  test('needs so many hellos that another value, with equal chances, is missed once in ten thousand captures', async () => {
    const needed = async (payload: EchPayload): Promise<number> => {
      const extensions = profiles.firefox.extensions.map((one) =>
        one.kind === 'ech_grease' ? { ...one, aeads: ['0001'], payload } : one,
      )
      return hellosNeeded(await hellosOf({ ...profiles.firefox, extensions }))
    }
    expect(await needed({ oneOf: [144] })).toBe(15)
    expect(await needed({ oneOf: [144, 176] })).toBe(26)
    expect(await needed({ oneOf: [144, 176, 208] })).toBe(37)
    expect(await needed({ oneOf: [144, 176, 208, 240] })).toBe(49)
    expect(hellosNeeded([])).toBe(15)
  })

  test('says what the hellos did not show', async () => {
    const first = readClientHello(await sampleHello(profiles.firefox))
    expect(learnProfile([first], about).assumed).toEqual([
      'what a second visit sends, with a ticket',
      'how the payload of ECH grows with the name',
      'where a cookie stands',
    ])
    expect(learnProfile([first], about).profile.extensions).toContainEqual({ kind: 'session_ticket', besidePsk: false })
  })

  test.each<[string, () => Promise<CapturedHello[]>]>([
    ['there is no hello of a first visit', async () => [readClientHello(await sampleHello(profiles.firefox, ticket))]],
    ['there is no hello of a first visit', () => Promise.resolve([])],
    [
      'they are of several forms, or browsers',
      async () => [
        readClientHello(await sampleHello(profiles.firefox)),
        readClientHello(await sampleHello(profiles['chromium-page'])),
      ],
    ],
    [
      'their profile could not be used: suites[2] is 1304, a cipher suite',
      async () => {
        const hello = readClientHello(await sampleHello(profiles.firefox))
        return [{ ...hello, suites: [0x1301, 0x1302, 0x1304] }]
      },
    ],
    [
      'they have a session id of 0 bytes',
      async () => [{ ...readClientHello(await sampleHello(profiles.firefox)), sessionIdLength: 0 }],
    ],
    [
      'their profile could not be used: extensions has no server_name',
      async () => {
        const hello = readClientHello(await sampleHello(profiles.firefox))
        return [{ ...hello, extensions: hello.extensions.filter(({ type }) => type !== 0) }]
      },
    ],
    [
      'they vary in a way that no rule here makes, in extensions',
      async () => {
        const hello = readClientHello(await sampleHello(profiles.firefox))
        return [hello, { ...hello, extensions: hello.extensions.toReversed() }]
      },
    ],
  ])('is refused: %s', async (message, make) => {
    const hellos = await make()
    expect(() => learnProfile(hellos, about)).toThrow(`there is no profile of these hellos: ${message}`)
  })

  test('leaves out what is of this visit alone: the name, keys, tickets', async () => {
    const text = JSON.stringify(learnProfile(await hellosOf(profiles.firefox), about).profile)
    expect(text).not.toContain('bridge')
    expect(text.length).toBeLessThan(2500)
  })
})

/** Profiles that no browser has, with all kinds of extensions. */
function someProfile(): fc.Arbitrary<Profile> {
  const some = (values: readonly string[], least = 1): fc.Arbitrary<string[]> =>
    fc.subarray([...values], { minLength: least })
  const maybe = (one: fc.Arbitrary<ProfileExtension>): fc.Arbitrary<ProfileExtension[]> =>
    fc.oneof(
      fc.constant<ProfileExtension[]>([]),
      one.map((extension) => [extension]),
    )
  const fixed = (type: string, data: string): fc.Arbitrary<ProfileExtension[]> =>
    maybe(fc.constant({ kind: 'fixed', type, data } as const))
  const lengths = fc.uniqueArray(
    fc.integer({ min: 17, max: 300 }).filter((length) => length % 32 !== 15),
    {
      minLength: 1,
      maxLength: 4,
    },
  )
  const payload: fc.Arbitrary<EchPayload> = fc.oneof(
    lengths.map((list) => ({ oneOf: list.toSorted((a, b) => a - b) })),
    fc.constant({ base: 124, leastName: 99 }),
  )
  return fc
    .record({
      grease: fc.boolean(),
      permuted: fc.boolean(),
      suites: some(['1301', '1302', '1303'], 1),
      shares: some(['001d', '0017', '0018'], 1),
      more: some(['0019', '0100', '0101'], 0),
      sameX25519: fc.boolean(),
      schemes: some(['0403', '0804', '0401', '0503', '0805', '0203'], 2).filter((list) =>
        list.some((one) => /^0[48]0[34]$/.test(one)),
      ),
      optional: fc.tuple(
        fixed('0005', '0100000000'),
        fixed('000b', '020001'),
        fixed('0016', ''),
        fixed('ca34', '000403010203'),
        maybe(
          some(['0001', '0002', '0003']).map((algorithms) => ({ kind: 'compress_certificate', algorithms }) as const),
        ),
        maybe(fc.integer({ min: 64, max: 16_385 }).map((limit) => ({ kind: 'record_size_limit', limit }) as const)),
        maybe(fc.boolean().map((besidePsk) => ({ kind: 'session_ticket', besidePsk }) as const)),
        maybe(some(['h2', 'http/1.1', 'x']).map((protocols) => ({ kind: 'alpn', protocols }) as const)),
        maybe(
          fc
            .tuple(some(['0001', '0003']), payload)
            .map(([aeads, payload]) => ({ kind: 'ech_grease', aeads, payload }) as const),
        ),
      ),
    })
    .map(({ grease, permuted, suites, shares, more, sameX25519, schemes, optional }) => {
      const withGrease = (list: readonly string[]): string[] => (grease ? ['grease', ...list] : [...list])
      const groups = [...shares, ...more]
      return {
        name: 'any',
        browser: 'any',
        version: '1',
        platform: 'any',
        date: '2026-12-01',
        source: 'any',
        suites: withGrease([...suites, 'c02b', 'c02f']),
        extensions: [
          grease ? { kind: 'grease', data: '' } : { kind: 'fixed', type: '0017', data: '' },
          { kind: 'server_name' },
          { kind: 'supported_groups', groups: withGrease(['11ec', ...groups]) },
          { kind: 'signature_algorithms', schemes: withGrease(schemes) },
          { kind: 'cookie' },
          { kind: 'supported_versions', versions: withGrease(['0304', '0303']) },
          {
            kind: 'key_share',
            groups: withGrease(['11ec', ...shares]),
            sameX25519: sameX25519 && shares.includes('001d'),
          },
          { kind: 'fixed', type: '002d', data: '0101' },
          ...optional.flat(),
          grease ? { kind: 'grease', data: '00' } : { kind: 'fixed', type: 'ff01', data: '00' },
        ],
        permuted,
      } satisfies Profile
    })
}
