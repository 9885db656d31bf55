/** Hellos of the profiles beside those that browsers sent, and what varies from connection to connection. */
import { describe, expect, test } from 'vitest'
import { ClientHello } from '../../src/tls/hello.ts'
import type { HelloOptions } from '../../src/tls/hello.ts'
import { chromiumPage, chromiumWebSocket } from '../../src/tls/profiles/chromium.ts'
import { firefox } from '../../src/tls/profiles/firefox.ts'
import type { Profile } from '../../src/tls/profiles/profile.ts'
import { suiteOf } from '../../src/tls/suites.ts'
import type { Ticket } from '../../src/tls/tickets.ts'
import { Transcript } from '../../src/tls/transcript.ts'
import { captured, echOf, extensionData, isGrease, ja4, numbers, parseHello, shape, sharesOf } from './client-hello.ts'

const servername = 'bridge.example'

/** As the server of the captures gave it: 240 bytes, and a suite with SHA-384. */
const ticket: Ticket = {
  suite: suiteOf(0x1302)!,
  psk: Buffer.alloc(48, 1),
  bytes: Buffer.alloc(240, 2),
  ageAdd: 0xfffffff0,
  received: Date.now(),
  lifetime: 1000,
  certificates: [],
}

async function message(options: HelloOptions): Promise<Buffer> {
  return (await ClientHello.make(options)).message(new Transcript())
}

async function many(count: number, profile: Profile): Promise<Buffer[]> {
  const messages: Buffer[] = []
  for (let n = 0; n < count; n++) messages.push(await message({ profile, servername }))
  return messages
}

const table = [
  ['chromium-156-websocket', chromiumWebSocket, undefined, 't13d1516h1_8daaf6152771_5b37b36a67c0'],
  ['chromium-156-websocket-psk', chromiumWebSocket, ticket, 't13d1517h1_8daaf6152771_c4a234726a38'],
  ['chromium-156-h2', chromiumPage, undefined, 't13d1517h2_8daaf6152771_cb7bf5808d99'],
  ['firefox-153esr', firefox, undefined, 't13d1617h2_86a278354501_3cbfd9057e0d'],
  ['firefox-153esr-psk', firefox, ticket, 't13d1617h2_86a278354501_e6dcd7ae0a9e'],
] as const

describe.each(table)('%s', (name, profile, ticket, fingerprint) => {
  const browsers = captured(name).subarray(5)

  test('our hello says what the browser’s says, field by field', async () => {
    const ours = shape(await message({ profile, servername, ticket }))
    const theirs = shape(browsers)
    expect(ours.head).toBe(theirs.head)
    const order = (list: readonly string[]): readonly string[] => (profile.permuted ? list.toSorted() : list)
    expect(order(ours.extensions)).toEqual(order(theirs.extensions))
  })

  test('JA4 is that of the capture', async () => {
    expect(ja4(browsers)).toBe(fingerprint)
    expect(ja4(await message({ profile, servername, ticket }))).toBe(fingerprint)
  })

  test('the length is one that the browser’s hello can have', async () => {
    const ours = await message({ profile, servername, ticket })
    const withoutEch = (hello: Buffer): number => hello.length - echOf(parseHello(hello)).payloadLength
    expect(withoutEch(ours)).toBe(withoutEch(browsers))
    if (!profile.permuted) expect(ours).toHaveLength(browsers.length)
  })
})

test('a name of 100 letters makes Firefox’s ECH longer, and one of 70 does not', async () => {
  const lengthFor = async (letters: number): Promise<number> => {
    const servername = `${'a'.repeat(50)}.${'b'.repeat(letters - 51)}`
    return echOf(parseHello(await message({ profile: firefox, servername }))).payloadLength
  }
  expect([await lengthFor(70), await lengthFor(100)]).toEqual([239, 271])
})

test('an IP address is not named', async () => {
  const hello = parseHello(await message({ profile: chromiumWebSocket, servername: undefined }))
  expect(extensionData(hello, 0)).toBeUndefined()
})

test('other protocols take the place of the profile’s, and settings of an application go with theirs', async () => {
  const hello = parseHello(await message({ profile: chromiumPage, servername, alpn: ['http/1.1'] }))
  expect(extensionData(hello, 0x10)?.toString('latin1')).toBe('\0\x09\x08http/1.1')
  expect(extensionData(hello, 0x44cd)).toBeUndefined()
})

describe('1,000 hellos of Chromium', async () => {
  const hellos = (await many(1000, chromiumWebSocket)).map(parseHello)

  test('GREASE stands first and last, once empty and once with a zero, and never twice the same', () => {
    for (const { extensions } of hellos) {
      const [first, last] = [extensions[0]!, extensions.at(-1)!]
      expect([first.type, last.type].map(isGrease)).toEqual([true, true])
      expect([first.data.toString('hex'), last.data.toString('hex')]).toEqual(['', '00'])
      expect(first.type).not.toBe(last.type)
      expect(new Set(extensions.map(({ type }) => type)).size).toBe(extensions.length)
    }
  })

  test('the group of GREASE is the same in groups and shares; its share is one zero byte', () => {
    for (const hello of hellos) {
      const [share] = sharesOf(hello)
      expect(share!.group).toBe(numbers(extensionData(hello, 0x0a)!)[1])
      expect(isGrease(share!.group) && share!.key.toString('hex')).toBe('00')
    }
  })

  test('all 16 values of GREASE come in each place, none far more often than another', () => {
    const places = [
      (hello: (typeof hellos)[number]) => hello.suites[0]!,
      (hello: (typeof hellos)[number]) => numbers(extensionData(hello, 0x0a)!)[1]!,
      (hello: (typeof hellos)[number]) => extensionData(hello, 0x2b)!.readUInt16BE(1),
      (hello: (typeof hellos)[number]) => numbers(extensionData(hello, 0x0d)!)[1]!,
      (hello: (typeof hellos)[number]) => hello.extensions[0]!.type,
      (hello: (typeof hellos)[number]) => hello.extensions.at(-1)!.type,
    ]
    for (const place of places) expectUniform(hellos.map(place), 16)
  })

  test('each extension comes at each of the places between, equally often', () => {
    const types = hellos[0]!.extensions.slice(1, -1).map(({ type }) => type)
    expect(types).toHaveLength(16)
    for (const type of types) {
      expectUniform(
        hellos.map(({ extensions }) => extensions.findIndex((one) => one.type === type)),
        types.length,
      )
    }
  })

  test('ECH’s payload has one of four lengths, equally often, with AES of 128 bits', () => {
    const echs = hellos.map(echOf)
    expect([...new Set(echs.map(({ payloadLength }) => payloadLength))].toSorted((a, b) => a - b)).toEqual([
      144, 176, 208, 240,
    ])
    expectUniform(
      echs.map(({ payloadLength }) => payloadLength),
      4,
    )
    expect(new Set(echs.map(({ aead }) => aead))).toEqual(new Set([1]))
  })

  test('no random, session id or key comes twice, and the hybrid share has a key of its own', () => {
    expect(new Set(hellos.map(({ random }) => random)).size).toBe(1000)
    expect(new Set(hellos.map(({ sessionId }) => sessionId)).size).toBe(1000)
    for (const hello of hellos) {
      const [, hybrid, x25519] = sharesOf(hello)
      expect(hybrid!.key.subarray(1184)).not.toEqual(x25519!.key)
    }
  })
})

describe('1,000 hellos of Firefox', async () => {
  const hellos = (await many(1000, firefox)).map(parseHello)

  test('the order is always the same, and the key of X25519 is that of the hybrid share', () => {
    const order = hellos[0]!.extensions.map(({ type }) => type)
    for (const hello of hellos) {
      expect(hello.extensions.map(({ type }) => type)).toEqual(order)
      const [hybrid, x25519, p256] = sharesOf(hello)
      expect(hybrid!.key.subarray(1184)).toEqual(x25519!.key)
      expect([p256!.key.length, p256!.key[0]]).toEqual([65, 4])
    }
  })

  test('ECH has AES or ChaCha20 equally often, and a payload of 239 bytes', () => {
    expectUniform(
      hellos.map((hello) => echOf(hello).aead),
      2,
    )
    expect(new Set(hellos.map((hello) => echOf(hello).payloadLength))).toEqual(new Set([239]))
  })
})

/**
 * Every one of `kinds` values comes, and by Pearson's test their counts are those of equal chances: true of a uniform source in all
 * but one of a million runs.
 */
function expectUniform(values: readonly number[], kinds: number): void {
  const counts = new Map<number, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  expect(counts.size).toBe(kinds)
  const expected = values.length / kinds
  const chiSquared = [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
  // Wilson and Hilferty's approximation, at 4.75 standard deviations.
  const freedom = kinds - 1
  expect(chiSquared).toBeLessThan(freedom * (1 - 2 / (9 * freedom) + 4.75 * Math.sqrt(2 / (9 * freedom))) ** 3 + 1)
}
