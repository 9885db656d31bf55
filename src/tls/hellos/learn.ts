/** The profile that several hellos of one browser follow: what all of them say, and the rules by which the rest varies. */
import { PtError } from '../../error.ts'
import { extensionTypes } from '../messages/extensions.ts'
import { profileFault } from '../profiles/check.ts'
import type { EchPayload, Profile, ProfileExtension } from '../profiles/profile.ts'
import { extensionOf } from '../profiles/profile.ts'
import type { CapturedExtension, CapturedHello } from './client-hello.ts'
import { hasTicket } from './client-hello.ts'
import { differences, echOf, hasSameX25519 } from './compare.ts'
import { contentsOf } from './contents.ts'
import { fieldsOf } from './fields.ts'
import { codeOf, nameOfExtension } from './names.ts'
import { nearestProfile } from './nearest.ts'

const types = extensionTypes

/** How sure it has to be that no value of what varies was missed: one of ten thousand captures may miss one. */
const MISSED = 1 / 10_000

/** What a profile says of where it comes from. */
export type About = Pick<Profile, 'name' | 'browser' | 'version' | 'platform' | 'date' | 'source'>

export interface Learned {
  readonly profile: Profile
  /** What the hellos did not show, in words; it was taken from the nearest profile of this package. */
  readonly assumed: readonly string[]
}

/** Hellos with the same form follow the same profile: it is made of all that does not vary from visit to visit. */
export function formOf(hello: CapturedHello): string {
  const varying = new Set(['extensions', nameOfExtension(types.preSharedKey), nameOfExtension(types.sessionTicket)])
  const fields = [...fieldsOf(hello, true)].filter(([name]) => !varying.has(name))
  return JSON.stringify(fields.map(([name, value]) => `${name}: ${value}`).toSorted())
}

/** How many hellos of one form are needed, by what they have shown so far. */
export function hellosNeeded(hellos: readonly CapturedHello[]): number {
  const echs = hellos.flatMap((hello) => echOf(hello) ?? [])
  const payloads = new Set(isPadded(hellos) ? [] : echs.map(({ payloadLength }) => payloadLength))
  return hellosFor(Math.max(1, payloads.size, new Set(echs.map(({ aead }) => aead)).size))
}

/** So many hellos show whether there is another value besides `values` ones, all with equal chances. */
function hellosFor(values: number): number {
  return Math.ceil(Math.log(MISSED / (values + 1)) / Math.log(values / (values + 1)))
}

/** The profile of hellos of one form, at least one of them without a ticket. Throws PT_PROFILE if they follow none. */
export function learnProfile(hellos: readonly CapturedHello[], about: About): Learned {
  const first = hellos.find((hello) => !hasTicket(hello))
  if (first === undefined) throw unlearned('there is no hello of a first visit, which has no ticket')
  if (hellos.some((hello) => formOf(hello) !== formOf(first))) throw unlearned('they are of several forms, or browsers')
  checkHead(first)
  const nearest = nearestProfile(first)
  const assumed: string[] = []
  const extensions = first.extensions.map((one) => extensionFrom(one, hellos, nearest, assumed))
  const permuted = isPermuted(hellos)
  if (!permuted) assumed.push('where a cookie stands')
  const profile: Profile = {
    ...about,
    suites: first.suites.map(codeOf),
    extensions: withCookie(extensions, permuted),
    permuted,
  }
  const fault = profileFault(profile)
  if (fault !== undefined) throw unlearned(`their profile could not be used: ${fault}`)
  for (const hello of hellos) {
    const [broken] = differences(hello, profile)
    if (broken !== undefined) throw unlearned(`they vary in a way that no rule here makes, in ${broken.field}`)
  }
  return { profile, assumed }
}

/** What every hello of this client has. */
function checkHead({ version, sessionIdLength, compressions }: CapturedHello): void {
  if (version !== 0x0303) throw unlearned(`they are of version ${codeOf(version)}, and this client says 0303`)
  if (sessionIdLength !== 32)
    throw unlearned(`they have a session id of ${sessionIdLength} bytes, and this client has 32`)
  if (compressions.join(' ') !== '0') throw unlearned('they offer to compress, which this client does not')
}

/** True if the order of extensions is another one in some of the hellos. What hangs on a ticket says nothing of that. */
function isPermuted(hellos: readonly CapturedHello[]): boolean {
  const onTicket: ReadonlySet<number> = new Set([types.preSharedKey, types.sessionTicket])
  const orders = hellos.map(({ extensions }) =>
    extensions.flatMap(({ type }) => (onTicket.has(type) ? [] : nameOfExtension(type))).join(' '),
  )
  return new Set(orders).size > 1
}

function extensionFrom(
  { type, data }: CapturedExtension,
  hellos: readonly CapturedHello[],
  nearest: Profile,
  assumed: string[],
): ProfileExtension {
  const contents = contentsOf(type, data)
  const codes = contents.is === 'numbers' ? contents.numbers.map(codeOf) : []
  const protocols = contents.is === 'protocols' ? contents.protocols : []
  switch (type) {
    case types.serverName:
      return { kind: 'server_name' }
    case types.supportedGroups:
      return { kind: 'supported_groups', groups: codes }
    case types.signatureAlgorithms:
      return { kind: 'signature_algorithms', schemes: codes }
    case types.delegatedCredential:
      return { kind: 'delegated_credentials', schemes: codes }
    case types.compressCertificate:
      return { kind: 'compress_certificate', algorithms: codes }
    case types.supportedVersions:
      return { kind: 'supported_versions', versions: codes }
    case types.alpn:
      return { kind: 'alpn', protocols }
    case types.applicationSettings:
      return { kind: 'application_settings', protocols }
    case types.recordSizeLimit:
      return { kind: 'record_size_limit', limit: contents.is === 'limit' ? contents.limit : 0 }
    case types.keyShare: {
      const shares = contents.is === 'shares' ? contents.shares : []
      const same = hellos.every((hello) => hasSameX25519(hello) === true)
      return { kind: 'key_share', groups: shares.map(({ group }) => codeOf(group)), sameX25519: same }
    }
    case types.sessionTicket:
      return { kind: 'session_ticket', besidePsk: isBesidePsk(hellos, nearest, assumed) }
    case types.encryptedClientHello:
      return { kind: 'ech_grease', aeads: aeadsOf(hellos), payload: payloadOf(hellos, assumed) }
    default:
      if (nameOfExtension(type) === 'grease') return { kind: 'grease', data: data.toString('hex') }
      return { kind: 'fixed', type: codeOf(type), data: data.toString('hex') }
  }
}

function isBesidePsk(hellos: readonly CapturedHello[], nearest: Profile, assumed: string[]): boolean {
  const again = hellos.find(hasTicket)
  if (again !== undefined) return again.extensions.some(({ type }) => type === types.sessionTicket)
  assumed.push('what a second visit sends, with a ticket')
  return extensionOf(nearest, 'session_ticket')?.besidePsk ?? true
}

function aeadsOf(hellos: readonly CapturedHello[]): string[] {
  return [...new Set(hellos.flatMap((hello) => echOf(hello)?.aead ?? []))].toSorted((a, b) => a - b).map(codeOf)
}

/** True if every payload of ECH is as long as a padded hello and its tag. */
function isPadded(hellos: readonly CapturedHello[]): boolean {
  return hellos.every((hello) => ((echOf(hello)?.payloadLength ?? 0) + 1) % 32 === 16)
}

function payloadOf(hellos: readonly CapturedHello[], assumed: string[]): EchPayload {
  if (isPadded(hellos)) {
    // One name shows one length; that of another name follows the rule that is known of NSS.
    assumed.push('how the payload of ECH grows with the name')
    return { base: 124, leastName: 99 }
  }
  const lengths = hellos.flatMap((hello) => echOf(hello)?.payloadLength ?? [])
  return { oneOf: [...new Set(lengths)].toSorted((a, b) => a - b) }
}

/** NSS has the cookie after the signature algorithms. If the order is drawn, any place between the first and the last is the same. */
function withCookie(extensions: readonly ProfileExtension[], permuted: boolean): ProfileExtension[] {
  const at = permuted ? extensions.length - 1 : extensions.findIndex(({ kind }) => kind === 'signature_algorithms') + 1
  return extensions.toSpliced(at, 0, { kind: 'cookie' })
}

function unlearned(why: string): PtError {
  return new PtError('PT_PROFILE', `there is no profile of these hellos: ${why}`)
}
