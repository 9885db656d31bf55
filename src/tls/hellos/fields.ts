/**
 * The fields of a hello without what is random: keys, tickets, names, GREASE's values, and the length of ECH's payload. They are the same
 * for a hello and for the profile that it follows.
 *
 *     suites             grease 1301 1302 1303 …
 *     extensions         grease first and last; between, in any order: server_name …
 *     key_share          grease:1 11ec:1216 001d:32
 */
import { extensionTypes } from '../messages/extensions.ts'
import type { Profile, ProfileExtension } from '../profiles/profile.ts'
import { typeOf } from '../profiles/profile.ts'
import { isGrease } from '../grease.ts'
import type { CapturedExtension, CapturedHello } from './client-hello.ts'
import type { CapturedPsk } from './contents.ts'
import { contentsOf } from './contents.ts'
import { codeOf, nameOfExtension } from './names.ts'

/** Values by the names of fields. */
export type Fields = ReadonlyMap<string, string>

/** What a visit brings along, and the profile does not say. */
export interface Visit {
  readonly named: boolean
  readonly hasTicket: boolean
}

/** In bytes, on the wire. An X25519MLKEM768 share is a key of ML-KEM-768 and one of X25519. */
const shareLengths: Readonly<Record<string, number>> = {
  grease: 1,
  '0017': 65,
  '0018': 97,
  '0019': 133,
  '001d': 32,
  '0100': 256,
  '0101': 384,
  '11ec': 1216,
}

/** The fields of a hello. If it is `permuted`, the order of its extensions says nothing. */
export function fieldsOf(hello: CapturedHello, permuted: boolean): Fields {
  const { version, sessionIdLength, suites, compressions, extensions } = hello
  const names = extensions.map(({ type }) => nameOfExtension(type))
  const places = extensions.map(({ type }, at) => (isGrease(type) ? greasePlace(at) : nameOfExtension(type)))
  return new Map([
    ['version', codeOf(version)],
    ['session id', `${sessionIdLength} bytes`],
    ['suites', suites.map(codeOf).join(' ')],
    ['compression', compressions.join(' ')],
    ['extensions', orderOf(names, permuted)],
    ...extensions.map((one, at) => [places[at]!, contentOf(one)] as const),
  ])
}

/** The fields of the hellos that a profile says. */
export function fieldsOfProfile(profile: Profile, { named, hasTicket }: Visit): Fields {
  const isThere = (one: ProfileExtension): boolean => {
    if (one.kind === 'server_name') return named
    if (one.kind === 'session_ticket') return one.besidePsk || !hasTicket
    return one.kind !== 'cookie'
  }
  const entries = profile.extensions.flatMap((one, at) => {
    if (!isThere(one)) return []
    const name = one.kind === 'grease' ? greasePlace(at) : nameOfExtension(typeOf(one)!)
    return [[name, contentOfProfile(one)] as const]
  })
  const psk = hasTicket ? [[nameOfExtension(extensionTypes.preSharedKey), '1 ticket, 1 binder'] as const] : []
  const all = [...entries, ...psk]
  return new Map([
    ['version', '0303'],
    ['session id', '32 bytes'],
    ['suites', profile.suites.join(' ')],
    ['compression', '0'],
    [
      'extensions',
      orderOf(
        all.map(([name]) => name.replace(/^grease .*/, 'grease')),
        profile.permuted,
      ),
    ],
    ...all,
  ])
}

/** GREASE has two places in the hellos of Chromium. */
function greasePlace(at: number): string {
  return at === 0 ? 'grease first' : 'grease last'
}

function orderOf(names: readonly string[], permuted: boolean): string {
  if (!permuted) return names.join(' ')
  const hasPsk = names.at(-1) === nameOfExtension(extensionTypes.preSharedKey)
  const all = hasPsk ? names.slice(0, -1) : names
  const end = hasPsk ? `, and ${names.at(-1)}` : ''
  return `${all[0]} first, ${all.at(-1)} last${end}; between, in any order: ${all.slice(1, -1).toSorted().join(' ')}`
}

function contentOf({ type, data }: CapturedExtension): string {
  const contents = contentsOf(type, data)
  switch (contents.is) {
    case 'name':
      return 'a name'
    case 'numbers':
      return contents.numbers.map(codeOf).join(' ')
    case 'protocols':
      return contents.protocols.join(' ')
    case 'shares':
      return contents.shares.map(({ group, key }) => `${codeOf(group)}:${key.length}`).join(' ')
    case 'limit':
      return String(contents.limit)
    case 'ech':
      return `form ${contents.ech.form}, KDF ${codeOf(contents.ech.kdf)}, a key of ${contents.ech.keyLength} bytes`
    case 'psk':
      return pskOf(contents.psk)
    case 'bytes':
      return contents.bytes.toString('hex')
  }
}

function pskOf({ tickets, binders }: CapturedPsk): string {
  const count = (list: readonly number[], word: string): string =>
    `${list.length} ${word}${list.length === 1 ? '' : 's'}`
  return `${count(tickets, 'ticket')}, ${count(binders, 'binder')}`
}

function contentOfProfile(one: ProfileExtension): string {
  switch (one.kind) {
    case 'fixed':
    case 'grease':
      return one.data
    case 'server_name':
      return 'a name'
    case 'supported_groups':
      return one.groups.join(' ')
    case 'signature_algorithms':
    case 'delegated_credentials':
      return one.schemes.join(' ')
    case 'alpn':
    case 'application_settings':
      return one.protocols.join(' ')
    case 'compress_certificate':
      return one.algorithms.join(' ')
    case 'record_size_limit':
      return String(one.limit)
    case 'supported_versions':
      return one.versions.join(' ')
    case 'key_share':
      return one.groups.map((group) => `${group}:${shareLengths[group]}`).join(' ')
    case 'ech_grease':
      return 'form 0, KDF 0001, a key of 32 bytes'
    case 'session_ticket':
    case 'cookie':
      return ''
  }
}
