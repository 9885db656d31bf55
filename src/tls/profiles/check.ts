/**
 * What a profile has to be, wherever it comes from: well-formed, a hello that a browser could send, and nothing offered that this client
 * does not honour. A fault names the field by its path.
 *
 *     extensions[4].groups[2] is 001e, and this client cannot make keys of that group
 */
import type { Check, Checks } from '../../options.ts'
import { aBoolean, expecting, listOf, tableOf, wholeNumber } from '../../options.ts'
import { extensionTypes } from '../messages/extensions.ts'
import { suiteOf } from '../suites.ts'
import { fixedFault } from './fixed.ts'
import { codes, typeOf } from './profile.ts'
import type { Profile, ProfileExtension } from './profile.ts'
import { offerFault, repeatedFault } from './offers.ts'

/** No hello of a browser has more of anything. */
const MOST_EXTENSIONS = 40
const MOST_CODES = 64
/** In bytes: what the fixed data and the payload of ECH may come to. With the keys, all fits into one record. */
const MOST_DATA = 8_192
const MOST_PAYLOAD = 2_048

type Kind = ProfileExtension['kind']
type ExtensionOf<K extends Kind> = Extract<ProfileExtension, { kind: K }>

const aText = expecting('a text of 1 to 200 printable characters', (value) => {
  return typeof value === 'string' && /^[\x20-\x7e]{1,200}$/.test(value)
})
const aName = expecting('a name of 1 to 64 letters, digits, dots and hyphens', (value) => {
  return typeof value === 'string' && /^[\w.-]{1,64}$/.test(value)
})
const aDate = expecting("a day such as '2026-11-30'", (value) => {
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\d$/.test(value)) return false
  const date = new Date(value)
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(value)
})
const aCode = expecting("a number in four hex digits, such as '1301'", isCode)
const aCodeOrGrease = expecting("a number in four hex digits, such as '1301', or 'grease'", (value) => {
  return value === 'grease' || isCode(value)
})
const hexData = expecting('bytes in hex, in lower case', (value) => {
  return typeof value === 'string' && /^(?:[0-9a-f]{2})*$/.test(value)
})
const aProtocol = expecting('a name of 1 to 255 bytes', (value) => {
  return typeof value === 'string' && /^[\x21-\x7e]{1,255}$/.test(value)
})

const codeList = some(aCode, 'numbers in hex')
const greaseList = some(aCodeOrGrease, "numbers in hex, or 'grease'")
const protocols = some(aProtocol, 'names of protocols')

const echPayload: Check = (value, path) => {
  const hasSizes = typeof value === 'object' && value !== null && 'oneOf' in value
  const sizes = some(wholeNumber(17, MOST_PAYLOAD), 'numbers of bytes')
  if (hasSizes) return tableOf<{ oneOf: number[] }>({ oneOf: sizes })(value, path)
  return tableOf<{ base: number; leastName: number }>({
    base: wholeNumber(0, MOST_PAYLOAD),
    leastName: wholeNumber(0, 255),
  })(value, path)
}

const isKind: Check = () => undefined

const extensionChecks: { readonly [K in Kind]: Checks<ExtensionOf<K>> } = {
  fixed: { kind: isKind, type: aCode, data: hexData },
  grease: { kind: isKind, data: hexData },
  server_name: { kind: isKind },
  supported_groups: { kind: isKind, groups: greaseList },
  signature_algorithms: { kind: isKind, schemes: greaseList },
  alpn: { kind: isKind, protocols },
  application_settings: { kind: isKind, protocols },
  compress_certificate: { kind: isKind, algorithms: codeList },
  delegated_credentials: { kind: isKind, schemes: codeList },
  record_size_limit: { kind: isKind, limit: wholeNumber(64, 16_385) },
  session_ticket: { kind: isKind, besidePsk: aBoolean },
  supported_versions: { kind: isKind, versions: greaseList },
  key_share: { kind: isKind, groups: greaseList, sameX25519: aBoolean },
  cookie: { kind: isKind },
  ech_grease: { kind: isKind, aeads: codeList, payload: echPayload },
}

const anExtension: Check = (value, path) => {
  const kind = (value as { kind?: unknown } | null)?.kind
  if (typeof kind !== 'string' || !Object.hasOwn(extensionChecks, kind)) {
    return `${path}.kind is none that is known; there are ${Object.keys(extensionChecks).toSorted().join(', ')}`
  }
  return tableOf<object>(extensionChecks[kind as Kind])(value, path)
}

const aProfile: Check = tableOf<Profile>({
  name: aName,
  browser: aText,
  version: aText,
  platform: aText,
  date: aDate,
  source: aText,
  suites: greaseList,
  extensions: some(anExtension, 'extensions', MOST_EXTENSIONS),
  permuted: aBoolean,
})

/** What is wrong with a profile, by the path of the field, in words; undefined if it can be used. */
export function profileFault(given: unknown): string | undefined {
  const malformed = aProfile(given, 'profile')?.replace(/\bprofile\./, '')
  return malformed ?? meaningFault(given as Profile)
}

function meaningFault(profile: Profile): string | undefined {
  const { suites, extensions } = profile
  return (
    suitesFault(suites) ??
    placesFault(extensions) ??
    lengthFault(extensions) ??
    firstOf(extensions, (one, at) => {
      const path = `extensions[${at}]`
      return one.kind === 'fixed' ? fixedFault(one, path) : offerFault(one, path, profile)
    }) ??
    missingFault(extensions)
  )
}

function suitesFault(suites: readonly string[]): string | undefined {
  const repeated = repeatedFault(suites, 'suites')
  if (repeated !== undefined) return repeated
  const stranger = suites.findIndex((one) => isSuiteOfTls13(one) && suiteOf(Number.parseInt(one, 16)) === undefined)
  if (stranger >= 0)
    return `suites[${stranger}] is ${suites[stranger]}, a cipher suite of TLS 1.3 that this client has not`
  if (!codes(suites).some((one) => suiteOf(one) !== undefined)) return 'suites has none of 1301, 1302, 1303'
  return undefined
}

/** Those of RFC 8446, of AEGIS, of RFC 8998 and of RFC 9150. */
function isSuiteOfTls13(code: string): boolean {
  return /^(?:13..|00c[67]|c0b[45])$/.test(code)
}

/** No type stands in a hello twice; GREASE stands there once, or at the beginning and once more. */
function placesFault(extensions: readonly ProfileExtension[]): string | undefined {
  const types = extensions.map(typeOf)
  const repeated = types.findIndex((type, at) => type !== undefined && types.indexOf(type) < at)
  if (repeated >= 0) {
    return `extensions[${repeated}] is of the type ${hex(types[repeated]!)}, as extensions[${types.indexOf(types[repeated])}] is`
  }
  const grease = extensions.flatMap(({ kind }, at) => (kind === 'grease' ? [at] : []))
  if (grease.length > 2) return `extensions[${grease[2]}] is a third one of GREASE; two are the most`
  if (grease.length === 2 && grease[0] !== 0) {
    return `extensions[${grease[1]}] is a second one of GREASE; the other one has to be the first of all then`
  }
  return undefined
}

function lengthFault(extensions: readonly ProfileExtension[]): string | undefined {
  const lengths = extensions.map((one) => ('data' in one ? one.data.length / 2 : 0))
  const sum = lengths.reduce((all, one) => all + one, 0)
  if (sum <= MOST_DATA) return undefined
  return `extensions[${lengths.indexOf(Math.max(...lengths))}].data is too long: all data may come to ${MOST_DATA} bytes, and come to ${sum}`
}

/** What a handshake of ours needs a place for. */
const needed: readonly (readonly [type: number, name: string, why: string])[] = [
  [extensionTypes.serverName, 'server_name', 'the server would not know which host is meant'],
  [extensionTypes.supportedGroups, 'supported_groups', 'there would be no key'],
  [extensionTypes.keyShare, 'key_share', 'there would be no key'],
  [extensionTypes.signatureAlgorithms, 'signature_algorithms', 'no certificate could be proven'],
  [extensionTypes.supportedVersions, 'supported_versions', 'TLS 1.3 would not be offered'],
  [extensionTypes.pskKeyExchangeModes, 'psk_key_exchange_modes (fixed, 002d)', 'no ticket could be used'],
  [extensionTypes.cookie, 'cookie', 'there would be no place for the cookie of a HelloRetryRequest'],
]

function missingFault(extensions: readonly ProfileExtension[]): string | undefined {
  const types = new Set(extensions.map(typeOf))
  const missing = needed.find(([type]) => !types.has(type))
  return missing && `extensions has no ${missing[1]}: ${missing[2]}`
}

function some(check: Check, what: string, most: number = MOST_CODES): Check {
  const list = listOf(check, what)
  return (value, path) => {
    const wrong = list(value, path)
    if (wrong !== undefined) return wrong
    const { length } = value as unknown[]
    return length > 0 && length <= most
      ? undefined
      : `${path} has to be a list of 1 to ${most} ${what}, and has ${length}`
  }
}

function isCode(value: unknown): boolean {
  // The values of GREASE are drawn for each connection, and not fixed.
  return typeof value === 'string' && /^[0-9a-f]{4}$/.test(value) && !/^([0-9a-f]a)\1$/.test(value)
}

function firstOf<T>(list: readonly T[], fault: (one: T, at: number) => string | undefined): string | undefined {
  for (const [at, one] of list.entries()) {
    const found = fault(one, at)
    if (found !== undefined) return found
  }
  return undefined
}

function hex(type: number): string {
  return type.toString(16).padStart(4, '0')
}
