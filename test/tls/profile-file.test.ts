/** Files of profiles: what is read, and what is refused with the name of the field. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isPtError } from '../../src/error.ts'
import { connectTls, formatProfile, parseProfile, profiles, readProfile } from '../../src/tls/index.ts'
import type { Profile } from '../../src/tls/index.ts'
import { readClientHello } from '../../src/tls/hellos/client-hello.ts'
import { differences } from '../../src/tls/hellos/compare.ts'
import { sampleHello } from '../../src/tls/hellos/sample.ts'
import { failureOf, tempDir } from '../support.ts'

const builtIn = Object.entries(profiles)

type Json = Record<string, unknown>

/** A copy of Firefox's profile that `change` has made another one. */
function changed(change: (profile: Json & { extensions: Json[] }) => void): string {
  const copy = JSON.parse(formatProfile(profiles.firefox)) as Json & { extensions: Json[] }
  change(copy)
  return JSON.stringify(copy)
}

/** The same with other values in the extension of one kind, or of one type. */
function extended(key: string, values: Json): string {
  return changed(({ extensions }) => {
    Object.assign(
      extensions.find(({ kind, type }) => kind === key || type === key)!,
      values,
    )
  })
}

function faultOf(text: string): string {
  try {
    parseProfile(text)
  } catch (error) {
    if (!isPtError(error, 'PT_PROFILE')) throw error
    return error.message.replace('the profile cannot be used: ', '')
  }
  return 'none'
}

describe.each(builtIn)('%s', (_, profile) => {
  test('comes back from its file as it was, and its file is short', () => {
    const text = formatProfile(profile)
    expect(parseProfile(text)).toEqual(profile)
    expect(text.length).toBeLessThan(4096)
  })

  test('every strict prefix of its file is refused', () => {
    const text = formatProfile(profile).trimEnd()
    const faults = Array.from({ length: text.length }, (_, length) => faultOf(text.slice(0, length)))
    expect(new Set(faults)).toEqual(new Set(['it is no JSON']))
  })
})

const added = (extension: Json): string => changed(({ extensions }) => void extensions.push(extension))
const without = (key: string): string =>
  changed((profile) => {
    profile.extensions = profile.extensions.filter(({ kind, type }) => kind !== key && type !== key)
  })

const refused: readonly (readonly [text: string, message: string])[] = [
  ['', 'it is no JSON'],
  ['null', 'profile has to be an object, and is null'],
  ['[]', 'profile has to be an object, and is an empty list'],
  ['{}', 'name is missing'],
  ['['.repeat(60_000), 'it is no JSON'],
  [`${'['.repeat(30_000)}${']'.repeat(30_000)}`, 'profile has to be an object, and is a list'],
  [' '.repeat(65_537), 'it is longer than 65536 bytes'],
  [changed((one) => delete one['date']), 'date is missing'],
  [changed((one) => (one['date'] = '2026-02-30')), "date has to be a day such as '2026-11-30', and is a string"],
  [
    changed((one) => (one['name'] = 'a b')),
    'name has to be a name of 1 to 64 letters, digits, dots and hyphens, and is',
  ],
  [changed((one) => (one['browser'] = 'a\u001b[2J')), 'browser has to be a text of 1 to 200 printable characters'],
  [changed((one) => (one['permuted'] = 'yes')), 'permuted has to be true or false, and is a string'],
  [changed((one) => (one['colour'] = 1)), 'there is no option colour; there are browser, date,'],
  [changed((one) => (one['suites'] = [])), "suites has to be a list of 1 to 64 numbers in hex, or 'grease', and has 0"],
  [
    changed((one) => (one['suites'] = ['1301', 4866])),
    "suites[1] has to be a number in four hex digits, such as '1301', or",
  ],
  [changed((one) => (one['suites'] = ['1301', '1A02'])), 'suites[1] has to be a number in four hex digits'],
  [changed((one) => (one['suites'] = ['1a1a', '1301'])), 'suites[0] has to be a number in four hex digits'],
  [changed((one) => (one['suites'] = ['1301', 'c02b', '1301'])), 'suites[2] is 1301, which stands there already'],
  [changed((one) => (one['suites'] = ['grease', '1301', 'grease'])), 'suites[2] is grease, which stands there already'],
  [
    changed((one) => (one['suites'] = ['1301', '1304'])),
    'suites[1] is 1304, a cipher suite of TLS 1.3 that this client has not',
  ],
  [changed((one) => (one['suites'] = ['c02b'])), 'suites has none of 1301, 1302, 1303'],
  [changed((one) => (one['extensions'] = {} as never)), 'extensions has to be a list of extensions, and is an object'],
  [added({ kind: 'unheard' }), 'extensions[18].kind is none that is known; there are alpn, application_settings,'],
  [added({ kind: '__proto__' }), 'extensions[18].kind is none that is known'],
  [added({ kind: 'cookie' }), 'extensions[18] is of the type 002c, as extensions[13] is'],
  [added({ kind: 'fixed', type: '0017', data: '' }), 'extensions[18] is of the type 0017, as extensions[1] is'],
  [added({ kind: 'fixed', type: '0017' }), 'extensions[18].data is missing'],
  [added({ kind: 'fixed', type: '0016', data: '0' }), 'extensions[18].data has to be bytes in hex, in lower case'],
  [added({ kind: 'fixed', type: '0016', data: '00' }), 'extensions[18].data of encrypt_then_mac has to be empty'],
  [added({ kind: 'fixed', type: '0a0a', data: '' }), 'extensions[18].type has to be a number in four hex digits'],
  [
    added({ kind: 'fixed', type: '0029', data: '' }),
    'extensions[18].type is 0029, which this client does not honour: pre_shared_key',
  ],
  [
    added({ kind: 'fixed', type: '002a', data: '' }),
    'extensions[18].type is 002a, which this client does not honour: early data',
  ],
  [
    added({ kind: 'fixed', type: '0015', data: '00' }),
    'extensions[18].type is 0015, which this client does not honour: padding',
  ],
  [added({ kind: 'fixed', type: '1234', data: '' }), 'extensions[18].type is 1234, which this client does not honour'],
  [
    added({ kind: 'fixed', type: '44cd', data: '' }),
    'extensions[18].type is 44cd, which has a kind of its own: application_settings',
  ],
  [added({ kind: 'fixed', type: 'ca34', data: '000103' }), 'extensions[18].data of trust_anchors has to be a list'],
  [
    added({ kind: 'fixed', type: 'ca34', data: 'ab'.repeat(9000) }),
    'extensions[18].data is too long: all data may come to 8192 bytes',
  ],
  [added({ kind: 'grease', data: '00'.repeat(32_000) }), 'extensions[18].data is too long'],
  [
    changed(({ extensions }) => extensions.push({ kind: 'grease', data: '' }, { kind: 'grease', data: '' })),
    'extensions[19] is a second one of GREASE',
  ],
  [
    added({ kind: 'application_settings', protocols: ['spdy'] }),
    'extensions[18].protocols[0] is a protocol that alpn does not offer',
  ],
  [without('server_name'), 'extensions has no server_name: the server would not know'],
  [without('key_share'), 'extensions has no key_share: there would be no key'],
  [without('supported_versions'), 'extensions has no supported_versions: TLS 1.3 would not be offered'],
  [without('signature_algorithms'), 'extensions has no signature_algorithms'],
  [without('cookie'), 'extensions has no cookie'],
  [without('002d'), 'extensions has no psk_key_exchange_modes'],
  [without('supported_groups'), 'extensions[9].groups[0] is 11ec, which is not in supported_groups'],
  [extended('002d', { data: '020001' }), 'extensions[14].data of psk_key_exchange_modes has to be 0101'],
  [
    extended('key_share', { groups: [] }),
    "extensions[10].groups has to be a list of 1 to 64 numbers in hex, or 'grease', and has 0",
  ],
  [
    extended('key_share', { groups: ['001d', '11ec'] }),
    'extensions[10].groups[1] is 11ec, which is not in supported_groups, or not in its',
  ],
  [
    extended('key_share', { groups: ['grease'] }),
    'extensions[10].groups[0] is grease, which is not in supported_groups',
  ],
  [
    extended('supported_groups', { groups: ['001d', '001e'] }),
    'extensions[3].groups[1] is 001e, and this client cannot make keys of that group',
  ],
  [extended('supported_versions', { versions: ['0303'] }), 'extensions[11].versions has no 0304, which is TLS 1.3'],
  [
    extended('supported_versions', { versions: ['0304', '7f1c'] }),
    'extensions[11].versions[1] is 7f1c, a version that this client has not',
  ],
  [
    extended('signature_algorithms', { schemes: ['0807'] }),
    'extensions[12].schemes[0] is 0807, a signature that this client cannot verify',
  ],
  [extended('signature_algorithms', { schemes: ['0401'] }), 'extensions[12].schemes has no scheme of TLS 1.3'],
  [
    extended('delegated_credentials', { schemes: ['grease'] }),
    'extensions[8].schemes[0] has to be a number in four hex digits',
  ],
  [
    extended('compress_certificate', { algorithms: ['0004'] }),
    'extensions[16].algorithms[0] is 0004, a compression that this client has not',
  ],
  [
    extended('record_size_limit', { limit: 65_536 }),
    'extensions[15].limit has to be a whole number from 64 to 16385, and is 65536',
  ],
  [extended('ech_grease', { aeads: ['0007'] }), 'extensions[17].aeads[0] is 0007, an AEAD that this client has not'],
  [
    extended('ech_grease', { payload: { oneOf: [] } }),
    'extensions[17].payload.oneOf has to be a list of 1 to 64 numbers of bytes',
  ],
  [
    extended('ech_grease', { payload: { oneOf: [65_536] } }),
    'extensions[17].payload.oneOf[0] has to be a whole number from 17 to 2048, and is 65536',
  ],
  [extended('ech_grease', { payload: { base: 1 } }), 'extensions[17].payload.leastName is missing'],
  [extended('ech_grease', { payload: null }), 'extensions[17].payload has to be an object, and is null'],
]

test.each(refused.map(([text, message]) => [message, text] as const))('it is refused: %s', (message, text) => {
  expect(faultOf(text)).toContain(message)
})

test('whatever is put into a profile, it is refused with one error, or makes a hello that follows it', async () => {
  const anything = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom('grease', '0a0a', '001d', '11ec', '0304', '', 'h2', 0, 65_536, [], ['grease'], ['1301'], {}),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...builtIn),
      fc.nat(),
      fc.nat(),
      anything,
      async ([, one], first, second, value) => {
        const copy = JSON.parse(JSON.stringify(one)) as Json
        const places = placesOf(copy)
        for (const at of [first, second]) places[at % places.length]!(value)
        let profile: Profile
        try {
          profile = parseProfile(JSON.stringify(copy))
        } catch (error) {
          expect(error).toMatchObject({ code: 'PT_PROFILE' })
          return
        }
        expect(differences(readClientHello(await sampleHello(profile)), profile)).toEqual([])
      },
    ),
    { numRuns: 500 },
  )
})

/** What sets each value of a tree to another one. */
function placesOf(tree: unknown): ((value: unknown) => void)[] {
  if (typeof tree !== 'object' || tree === null) return []
  const holder = tree as Record<string, unknown>
  const own: ((value: unknown) => void)[] = Object.keys(holder).map((key) => (value) => void (holder[key] = value))
  return own.concat(Object.values(holder).flatMap(placesOf))
}

describe('readProfile', () => {
  const dir = (): string => tempDir()

  test('gives the profile of a file, with a byte order mark too', async () => {
    const path = join(dir(), 'firefox.json')
    writeFileSync(path, `\ufeff${formatProfile(profiles.firefox)}`)
    expect(await readProfile(path)).toEqual(profiles.firefox)
  })

  test.each<[string, (path: string) => void, string]>([
    ['a file that is not there', () => undefined, 'there is no such file'],
    ['a folder', (path) => mkdirSync(path), 'it is no ordinary file'],
    ['a pipe, for which nobody waits,', (path) => void execFileSync('mkfifo', [path]), 'it is no ordinary file'],
    ['a huge file', (path) => writeFileSync(path, Buffer.alloc(10_000_000, ' ')), 'it is longer than 65536 bytes'],
  ])('%s is PT_PROFILE, and the message holds no path', async (_, make, message) => {
    const path = join(dir(), 'profile.json')
    make(path)
    const error = await failureOf(readProfile(path))
    expect(error).toMatchObject({ code: 'PT_PROFILE', message: `the profile cannot be used: ${message}` })
  })
})

test('connectTls refuses a profile that cannot be used, and names the field', async () => {
  const profile = { ...profiles.firefox, suites: ['1304'] }
  const error = await failureOf(connectTls(new PassThrough(), { servername: 'bridge.example', profile }))
  expect(error).toMatchObject({
    code: 'PT_OPTION',
    message:
      'connectTls: the option profile cannot be used: suites[0] is 1304, a cipher suite of TLS 1.3 that this client has not',
  })
})

describe('a machine without AES instructions', () => {
  test.each(['chromium-websocket', 'chromium-page'] as const)(
    '%s has ChaCha20 first and in ECH, or neither',
    (name) => {
      const suites = (profile: Profile): string[] => profile.suites.filter((one) => one.startsWith('13'))
      const aeads = (profile: Profile): unknown => profile.extensions.find(({ kind }) => kind === 'ech_grease')
      const [plain, noAes] = [profiles[name], profiles[`${name}-no-aes`]]
      expect([suites(plain), suites(noAes)]).toEqual([
        ['1301', '1302', '1303'],
        ['1303', '1301', '1302'],
      ])
      expect([aeads(plain), aeads(noAes)]).toMatchObject([{ aeads: ['0001'] }, { aeads: ['0003'] }])
      expect(noAes.suites.toSorted()).toEqual(plain.suites.toSorted())
    },
  )
})
