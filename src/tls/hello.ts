/**
 * The ClientHello (RFC 8446, section 4.1.2) that a profile says, and the second one after a HelloRetryRequest.
 *
 *     03 03 | random 32 | session id 20 32 | suites <2..> | compression 01 00 | extensions <8..>
 */
import { randomInt } from 'node:crypto'
import { randomPiece } from '../crypto/random.ts'
import type { Grease } from './grease.ts'
import { makeGrease } from './grease.ts'
import type { KeyShare } from './groups.ts'
import { makeShare, makeX25519 } from './groups.ts'
import { binderKey, finishedMac } from './key-schedule.ts'
import { extension, extensionTypes } from './messages/extensions.ts'
import { handshakeMessage, handshakeTypes } from './messages/handshake.ts'
import { echPayloadLength } from './profiles/ech.ts'
import type { EchPayload, Profile, ProfileExtension } from './profiles/profile.ts'
import { codes, extensionOf } from './profiles/profile.ts'
import type { Suite } from './suites.ts'
import { suiteOf } from './suites.ts'
import type { Ticket } from './tickets.ts'
import { ticketAge } from './tickets.ts'
import type { Transcript } from './transcript.ts'
import { u16, u8, uint, vector } from './wire.ts'

/** A fixed name of an extension; type host_name (RFC 6066, section 3). */
const HOST_NAME = 0
const ECH_OUTER = 0
const ECH_KDF = 0x0001

export interface HelloOptions {
  readonly profile: Profile
  /** The name in server_name; undefined for an IP address. */
  readonly servername: string | undefined
  /** What ALPN offers in place of the profile's own protocols. */
  readonly alpn?: readonly string[] | undefined
  readonly ticket?: Ticket | undefined
}

/** What was offered, so that what the server answers can be held against it. */
export interface Offer {
  readonly suites: readonly Suite[]
  readonly groups: readonly number[]
  readonly schemes: readonly number[]
  readonly credentialSchemes: readonly number[]
  readonly compressions: readonly number[]
  readonly protocols: readonly string[]
}

/** What one connection has chosen of what its profile leaves open. A second hello says the same again. */
interface Choices {
  readonly random: Buffer
  readonly sessionId: Buffer
  readonly grease: Grease
  readonly order: readonly ProfileExtension[]
  readonly ech: Buffer | undefined
}

/** What a HelloRetryRequest asks for. */
interface Retry {
  /** The share that goes in place of all others. */
  readonly share: KeyShare | undefined
  readonly cookie: Buffer | undefined
  /** The suite that the server has chosen. */
  readonly suite: Suite
}

export class ClientHello {
  readonly offer: Offer
  shares: readonly KeyShare[]
  ticket: Ticket | undefined
  readonly #options: HelloOptions
  readonly #choices: Choices
  #cookie: Buffer | undefined
  #hasGreaseShare = true

  private constructor(options: HelloOptions, shares: readonly KeyShare[]) {
    const { profile, ticket } = options
    this.#options = options
    this.ticket = ticket
    this.shares = shares
    this.#choices = choose(options)
    const protocols = options.alpn ?? extensionOf(profile, 'alpn')?.protocols ?? []
    this.offer = {
      suites: codes(profile.suites).flatMap((id) => suiteOf(id) ?? []),
      groups: codes(extensionOf(profile, 'supported_groups')?.groups ?? []),
      schemes: codes(extensionOf(profile, 'signature_algorithms')?.schemes ?? []),
      credentialSchemes: codes(extensionOf(profile, 'delegated_credentials')?.schemes ?? []),
      compressions: codes(extensionOf(profile, 'compress_certificate')?.algorithms ?? []),
      protocols,
    }
  }

  /** With fresh keys for every share of the profile. */
  static async make(options: HelloOptions): Promise<ClientHello> {
    const { groups = [], sameX25519 = false } = extensionOf(options.profile, 'key_share') ?? {}
    const pair = sameX25519 ? makeX25519() : undefined
    const shares: KeyShare[] = []
    for (const group of codes(groups)) {
      const share = await makeShare(group, pair)
      if (share !== undefined) shares.push(share)
    }
    return new ClientHello(options, shares)
  }

  get sessionId(): Buffer {
    return this.#choices.sessionId
  }

  /** The types of all extensions of this hello. */
  get offered(): ReadonlySet<number> {
    const types = this.#extensions().map((bytes) => bytes.readUInt16BE(0))
    return new Set(this.ticket === undefined ? types : [...types, extensionTypes.preSharedKey])
  }

  /** From now on it is the answer to a HelloRetryRequest. */
  retry({ share, cookie, suite }: Retry): void {
    this.#cookie = cookie
    if (share !== undefined) {
      this.#hasGreaseShare = false
      this.shares = [share]
    }
    // A binder of another hash could not be checked (RFC 8446, section 4.1.4).
    if (this.ticket?.suite.hash !== suite.hash) this.ticket = undefined
  }

  /** The message. The binder of a ticket is over `transcript`, which holds what came before, and the hello up to the binders. */
  message(transcript: Transcript): Buffer {
    const { random, sessionId, grease } = this.#choices
    const suites = this.#options.profile.suites.map((one) => u16(one === 'grease' ? grease.suite : parse(one)))
    const head = [u16(0x0303), random, vector(1, sessionId), vector(2, ...suites), vector(1, u8(0))]
    const extensions = this.#extensions()
    const { ticket } = this
    if (ticket !== undefined) extensions.push(pskExtension(ticket))
    const message = handshakeMessage(handshakeTypes.clientHello, ...head, vector(2, ...extensions))
    if (ticket !== undefined) {
      const { suite, psk } = ticket
      const truncated = message.subarray(0, message.length - bindersLength(suite))
      finishedMac(suite, binderKey(suite, psk), transcript.hash(suite, truncated)).copy(
        message,
        message.length - suite.hashLength,
      )
    }
    return message
  }

  #extensions(): Buffer[] {
    return this.#choices.order.flatMap((one, at) => this.#extension(one, at === 0) ?? [])
  }

  #extension(one: ProfileExtension, isFirst: boolean): Buffer | undefined {
    const { grease, ech } = this.#choices
    switch (one.kind) {
      case 'grease':
        return extension(isFirst ? grease.firstExtension : grease.lastExtension, Buffer.from(one.data, 'hex'))
      case 'fixed':
        return extension(parse(one.type), Buffer.from(one.data, 'hex'))
      case 'server_name':
        return this.#serverName()
      case 'supported_groups':
        return extension(extensionTypes.supportedGroups, list(2, one.groups, grease.group))
      case 'signature_algorithms':
        return extension(extensionTypes.signatureAlgorithms, list(2, one.schemes, grease.scheme))
      case 'alpn':
        return protocolList(extensionTypes.alpn, this.#options.alpn ?? one.protocols)
      case 'application_settings':
        return protocolList(
          extensionTypes.applicationSettings,
          one.protocols.filter((name) => this.#offers(name)),
        )
      case 'compress_certificate':
        return extension(extensionTypes.compressCertificate, list(1, one.algorithms, 0))
      case 'delegated_credentials':
        return extension(extensionTypes.delegatedCredential, list(2, one.schemes, 0))
      case 'record_size_limit':
        return extension(extensionTypes.recordSizeLimit, u16(one.limit))
      case 'session_ticket':
        return this.ticket === undefined || one.besidePsk ? extension(extensionTypes.sessionTicket) : undefined
      case 'supported_versions':
        return extension(extensionTypes.supportedVersions, list(1, one.versions, grease.version))
      case 'key_share':
        return this.#keyShare(one.groups)
      case 'cookie':
        return this.#cookie && extension(extensionTypes.cookie, vector(2, this.#cookie))
      case 'ech_grease':
        return ech && extension(extensionTypes.encryptedClientHello, ech)
    }
  }

  #offers(protocol: string): boolean {
    return this.#options.alpn?.includes(protocol) ?? true
  }

  #serverName(): Buffer | undefined {
    const { servername } = this.#options
    if (servername === undefined) return undefined
    return extension(extensionTypes.serverName, vector(2, u8(HOST_NAME), vector(2, Buffer.from(servername, 'latin1'))))
  }

  #keyShare(wanted: readonly string[]): Buffer {
    const grease =
      wanted[0] === 'grease' && this.#hasGreaseShare ? [u16(this.#choices.grease.group), vector(2, u8(0))] : []
    const shares = this.shares.flatMap(({ group, publicKey }) => [u16(group), vector(2, publicKey)])
    return extension(extensionTypes.keyShare, vector(2, ...grease, ...shares))
  }
}

function choose(options: HelloOptions): Choices {
  const { profile } = options
  const ech = extensionOf(profile, 'ech_grease')
  return {
    random: randomPiece(32),
    sessionId: randomPiece(32),
    grease: makeGrease(),
    order: profile.permuted ? permuted(profile.extensions) : profile.extensions,
    ech: ech && greaseEch(oneOf(ech.aeads), payloadLength(ech.payload, options)),
  }
}

/** All but the first and the last in a uniform order (Fisher and Yates). */
function permuted(extensions: readonly ProfileExtension[]): ProfileExtension[] {
  const order = [...extensions]
  for (let at = order.length - 2; at > 1; at--) {
    const other = randomInt(1, at + 1)
    const held = order[at]!
    order[at] = order[other]!
    order[other] = held
  }
  return order
}

/** outer 00 | KDF u16 | AEAD u16 | config id u8 | a key of X25519 <0..> | payload <1..> (RFC 9849, section 6.2). */
function greaseEch(aead: string, length: number): Buffer {
  const key = vector(2, makeX25519().publicKey)
  return Buffer.concat([
    u8(ECH_OUTER),
    u16(ECH_KDF),
    u16(parse(aead)),
    randomPiece(1),
    key,
    vector(2, randomPiece(length)),
  ])
}

function payloadLength(payload: EchPayload, { servername = '', ticket }: HelloOptions): number {
  if ('oneOf' in payload) return oneOf(payload.oneOf)
  return echPayloadLength(payload, servername.length, ticket === undefined ? 0 : pskExtension(ticket).length)
}

function oneOf<T>(values: readonly T[]): T {
  return values[randomInt(values.length)]!
}

/** One identity with the age of its ticket, and one binder, of zeros so far (RFC 8446, section 4.2.11). */
function pskExtension(ticket: Ticket): Buffer {
  const identity = Buffer.concat([vector(2, ticket.bytes), uint(ticketAge(ticket), 4)])
  const binders = vector(2, vector(1, Buffer.alloc(ticket.suite.hashLength)))
  return extension(extensionTypes.preSharedKey, vector(2, identity), binders)
}

/** Of the list of binders at the end of the hello, with its lengths. */
function bindersLength(suite: Suite): number {
  return 2 + 1 + suite.hashLength
}

function list(lengthBytes: 1 | 2, values: readonly string[], grease: number): Buffer {
  return vector(lengthBytes, ...values.map((one) => u16(one === 'grease' ? grease : parse(one))))
}

/** A list of protocols by name (RFC 7301, section 3.1). Without any, there is no extension. */
function protocolList(type: number, protocols: readonly string[]): Buffer | undefined {
  if (protocols.length === 0) return undefined
  return extension(type, vector(2, ...protocols.map((name) => vector(1, Buffer.from(name, 'latin1')))))
}

function parse(code: string): number {
  return Number.parseInt(code, 16)
}
