/**
 * A profile: what a browser of one version puts into its ClientHello, as data. A file of a profile is the same as JSON (file.ts), and
 * check.ts says what is refused.
 *
 * Numbers of TLS are written in hex, as captures show them. 'grease' is a place for one of the values that mean nothing
 * (RFC 8701); every connection has its own.
 */
import { extensionTypes } from '../messages/extensions.ts'

/** A number of two bytes in hex, such as '1301'. */
export type Code = string
/** The same, or 'grease'. */
export type CodeOrGrease = string

/** One extension of a ClientHello: what its bytes are, or by which rule they are made. */
export type ProfileExtension =
  /** An extension whose data are always the same. */
  | { readonly kind: 'fixed'; readonly type: Code; readonly data: string }
  /** An extension that means nothing, with these data. */
  | { readonly kind: 'grease'; readonly data: string }
  /** It is left out if there is no name, as with an IP address. */
  | { readonly kind: 'server_name' }
  | { readonly kind: 'supported_groups'; readonly groups: readonly CodeOrGrease[] }
  | { readonly kind: 'signature_algorithms'; readonly schemes: readonly CodeOrGrease[] }
  | { readonly kind: 'alpn'; readonly protocols: readonly string[] }
  /** Settings of the application for these protocols (ALPS, draft-vvv-tls-alps). */
  | { readonly kind: 'application_settings'; readonly protocols: readonly string[] }
  | { readonly kind: 'compress_certificate'; readonly algorithms: readonly Code[] }
  | { readonly kind: 'delegated_credentials'; readonly schemes: readonly Code[] }
  /** In bytes (RFC 8449). */
  | { readonly kind: 'record_size_limit'; readonly limit: number }
  /** For tickets of TLS 1.2, always empty. */
  | { readonly kind: 'session_ticket'; readonly besidePsk: boolean }
  | { readonly kind: 'supported_versions'; readonly versions: readonly CodeOrGrease[] }
  /** `sameX25519`: the hybrid share and the one of X25519 alone have the same key. */
  | {
      readonly kind: 'key_share'
      readonly groups: readonly CodeOrGrease[]
      readonly sameX25519: boolean
    }
  /** The place of the cookie in the answer to a HelloRetryRequest that has one. */
  | { readonly kind: 'cookie' }
  | EchGrease

/** An encrypted_client_hello that encrypts nothing. */
export interface EchGrease {
  readonly kind: 'ech_grease'
  /** One of these for each connection. */
  readonly aeads: readonly Code[]
  readonly payload: EchPayload
}

/** How long the payload is, in bytes. */
export type EchPayload =
  /** One of these, with equal chances. */
  | { readonly oneOf: readonly number[] }
  /**
   * As a hello inside would be: `base`, the longer of the name and `leastName`, and pre_shared_key if there is one, are filled up
   * to one less than the next multiple of 32, and the tag of 16 bytes follows.
   */
  | { readonly base: number; readonly leastName: number }

/** What one version of one browser sends: every field of its ClientHello, or the rule by which that field varies. */
export interface Profile {
  /** Of the browser and of the form, such as 'chromium-156-websocket'. Tickets of one profile are not used with another. */
  readonly name: string
  /** The browser's own name, such as 'Chromium'. */
  readonly browser: string
  readonly version: string
  /** The system that the browser ran on, and what else of the machine shows in the hello. */
  readonly platform: string
  /** The day on which the browser was seen to send it, such as '2026-11-30'. */
  readonly date: string
  /** Where the hello was seen, and what the browser was doing. */
  readonly source: string
  readonly suites: readonly CodeOrGrease[]
  /**
   * In the order of the wire. If `permuted`, each connection has a uniform order of its own for all but the first and the last
   * extension. pre_shared_key comes after all of them.
   */
  readonly extensions: readonly ProfileExtension[]
  readonly permuted: boolean
}

/** The types of the kinds that have one. */
const types: Readonly<Record<Exclude<ProfileExtension['kind'], 'fixed' | 'grease'>, number>> = {
  server_name: extensionTypes.serverName,
  supported_groups: extensionTypes.supportedGroups,
  signature_algorithms: extensionTypes.signatureAlgorithms,
  alpn: extensionTypes.alpn,
  application_settings: extensionTypes.applicationSettings,
  compress_certificate: extensionTypes.compressCertificate,
  delegated_credentials: extensionTypes.delegatedCredential,
  record_size_limit: extensionTypes.recordSizeLimit,
  session_ticket: extensionTypes.sessionTicket,
  supported_versions: extensionTypes.supportedVersions,
  key_share: extensionTypes.keyShare,
  cookie: extensionTypes.cookie,
  ech_grease: extensionTypes.encryptedClientHello,
}

/** The extension of one kind, which a profile has at most once; undefined if it has none. */
export function extensionOf<Kind extends ProfileExtension['kind']>(
  profile: Profile,
  kind: Kind,
): Extract<ProfileExtension, { kind: Kind }> | undefined {
  return profile.extensions.find((one): one is Extract<ProfileExtension, { kind: Kind }> => one.kind === kind)
}

/** The numbers of a list without the places of GREASE. */
export function codes(list: readonly CodeOrGrease[]): number[] {
  return list.filter((one) => one !== 'grease').map((one) => Number.parseInt(one, 16))
}

/** The type that an extension has on the wire; undefined for GREASE, whose type is drawn. */
export function typeOf(one: ProfileExtension): number | undefined {
  if (one.kind === 'grease') return undefined
  return one.kind === 'fixed' ? Number.parseInt(one.type, 16) : types[one.kind]
}
