/** What the extensions of a profile offer, held against what this client does if a server takes the offer. */
import { hasScheme } from '../certificates/signatures.ts'
import { knownGroups } from '../groups.ts'
import type { Profile, ProfileExtension } from './profile.ts'
import { codes, extensionOf } from './profile.ts'

/** Older schemes, of RSA with PKCS #1 and of SHA-1. They are offered for certificates, and no handshake of TLS 1.3 is signed with them. */
const forCertificates: ReadonlySet<number> = new Set([0x0401, 0x0501, 0x0601, 0x0201, 0x0203])
const compressions: ReadonlySet<number> = new Set([1, 2, 3])
/** AES-128-GCM, AES-256-GCM, ChaCha20-Poly1305 (RFC 9180, section 7.3). */
const aeads: ReadonlySet<number> = new Set([1, 2, 3])

/** What is wrong with what an extension offers. */
export function offerFault(one: ProfileExtension, path: string, profile: Profile): string | undefined {
  switch (one.kind) {
    case 'supported_groups':
      return repeatedFault(one.groups, `${path}.groups`) ?? groupFault(one.groups, `${path}.groups`)
    case 'key_share':
      return sharesFault(one.groups, `${path}.groups`, profile)
    case 'signature_algorithms':
      return schemesFault(one.schemes, `${path}.schemes`)
    case 'delegated_credentials':
      return schemesFault(one.schemes, `${path}.schemes`)
    case 'supported_versions':
      return versionsFault(one.versions, `${path}.versions`)
    case 'compress_certificate':
      return unknownFault(one.algorithms, compressions, `${path}.algorithms`, 'a compression')
    case 'ech_grease':
      return unknownFault(one.aeads, aeads, `${path}.aeads`, 'an AEAD')
    case 'application_settings':
      return settingsFault(one.protocols, `${path}.protocols`, profile)
    case 'alpn':
    case 'cookie':
    case 'fixed':
    case 'grease':
    case 'record_size_limit':
    case 'server_name':
    case 'session_ticket':
      return undefined
  }
}

/** RFC 8446, section 4.2.8: shares are of groups that are offered, and in their order. */
function sharesFault(shares: readonly string[], path: string, profile: Profile): string | undefined {
  const groups = extensionOf(profile, 'supported_groups')?.groups ?? []
  const places = shares.map((one) => groups.indexOf(one))
  const wrong = places.findIndex((place, at) => place < 0 || place <= (places[at - 1] ?? -1))
  if (wrong >= 0) return `${path}[${wrong}] is ${shares[wrong]}, which is not in supported_groups, or not in its order`
  if (shares.indexOf('grease') > 0)
    return `${path}[${shares.indexOf('grease')}] is grease, which has to be the first share`
  return codes(shares).length === 0 ? `${path} has no share of a key` : undefined
}

/** Some browsers name a scheme twice, so that is no fault. */
function schemesFault(schemes: readonly string[], path: string): string | undefined {
  const isKnown = (code: number): boolean => hasScheme(code) || forCertificates.has(code)
  const at = schemes.findIndex((one) => one !== 'grease' && !isKnown(Number.parseInt(one, 16)))
  if (at >= 0) return `${path}[${at}] is ${schemes[at]}, a signature that this client cannot verify`
  if (schemes.filter((one) => one === 'grease').length > 1) return `${path} has grease twice`
  return codes(schemes).some(hasScheme) ? undefined : `${path} has no scheme of TLS 1.3`
}

function versionsFault(versions: readonly string[], path: string): string | undefined {
  const known = new Set([0x0301, 0x0302, 0x0303, 0x0304])
  return (
    unknownFault(versions, known, path, 'a version') ??
    (versions.includes('0304') ? undefined : `${path} has no 0304, which is TLS 1.3`)
  )
}

function settingsFault(protocols: readonly string[], path: string, profile: Profile): string | undefined {
  const offered = extensionOf(profile, 'alpn')?.protocols ?? []
  const at = protocols.findIndex((one) => !offered.includes(one))
  return at < 0 ? undefined : `${path}[${at}] is a protocol that alpn does not offer`
}

function unknownFault(
  list: readonly string[],
  known: ReadonlySet<number>,
  path: string,
  what: string,
): string | undefined {
  const at = list.findIndex((one) => one !== 'grease' && !known.has(Number.parseInt(one, 16)))
  return at < 0 ? repeatedFault(list, path) : `${path}[${at}] is ${list[at]}, ${what} that this client has not`
}

/** A value that stands in a list twice. */
export function repeatedFault(list: readonly string[], path: string): string | undefined {
  const repeated = list.findIndex((one, at) => list.indexOf(one) < at)
  return repeated < 0 ? undefined : `${path}[${repeated}] is ${list[repeated]}, which stands there already`
}

/** The groups of a list that no key can be made of. */
function groupFault(groups: readonly string[], path: string): string | undefined {
  const at = groups.findIndex((one) => one !== 'grease' && !knownGroups.has(Number.parseInt(one, 16)))
  return at < 0 ? undefined : `${path}[${at}] is ${groups[at]}, and this client cannot make keys of that group`
}
