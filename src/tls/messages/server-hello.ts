/**
 * ServerHello and HelloRetryRequest (RFC 8446, sections 4.1.3 and 4.1.4), which have one form.
 *
 *     version 03 03 | random 32 | session id <0..32> | suite u16 | compression 00 | extensions <6..>
 */
import { TlsFault } from '../alert.ts'
import { Reader } from '../wire.ts'
import type { Extensions } from './extensions.ts'
import { checkExtensions, extensionTypes, readExtensions } from './extensions.ts'

const TLS12 = 0x0303
const TLS13 = 0x0304

/** SHA-256 of "HelloRetryRequest", in the place of the random. */
const retryRandom = Buffer.from('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c', 'hex')

/** "DOWNGRD": a server that can speak TLS 1.3 ends its random so if it answers with an older version; 01 or 00 follows. */
const downgrade = Buffer.from('DOWNGRD')

export interface ServerHello {
  readonly isRetry: boolean
  readonly sessionId: Buffer
  readonly suite: number
  readonly extensions: Extensions
}

/** Reads a hello of either kind. Refuses every version but TLS 1.3, and extensions that have no place in it. */
export function readServerHello(body: Buffer, offered: ReadonlySet<number>): ServerHello {
  const reader = new Reader(body, 'ServerHello')
  const version = reader.u16()
  const random = reader.bytes(32)
  const sessionId = reader.vector(1)
  const suite = reader.u16()
  const compression = reader.u8()
  const extensions = reader.left === 0 ? new Map<number, Buffer>() : readExtensions(reader)
  reader.end()
  checkVersion(version, random, extensions)
  if (compression !== 0) throw new TlsFault('illegal_parameter', 'the server chose to compress')
  const isRetry = random.equals(retryRandom)
  const { keyShare, supportedVersions, preSharedKey, cookie, encryptedClientHello } = extensionTypes
  const allowed = isRetry
    ? [keyShare, supportedVersions, cookie, encryptedClientHello]
    : [keyShare, supportedVersions, preSharedKey]
  // A cookie is the one extension that a server may send without having been offered it.
  checkExtensions(extensions, 'hello', allowed, isRetry ? new Set([...offered, cookie]) : offered)
  return { isRetry, sessionId, suite, extensions }
}

function checkVersion(version: number, random: Buffer, extensions: Extensions): void {
  const chosen = extensions.get(extensionTypes.supportedVersions)
  if (chosen === undefined) {
    if (random.subarray(24, 31).equals(downgrade)) {
      throw new TlsFault(
        'illegal_parameter',
        'the server can speak TLS 1.3 and was made to answer with an older version',
      )
    }
    throw new TlsFault('protocol_version', `the server speaks ${versionName(version)} and no TLS 1.3`)
  }
  const reader = new Reader(chosen, 'supported_versions')
  const selected = reader.u16()
  reader.end()
  if (version !== TLS12 || selected !== TLS13) {
    throw new TlsFault('illegal_parameter', 'the server chose a version that is not TLS 1.3')
  }
}

function versionName(version: number): string {
  return version >= 0x0301 && version <= TLS12 ? `TLS 1.${version - 0x0301}` : 'an unknown version'
}

/** The group that a HelloRetryRequest asks for, if it asks for one. */
export function readSelectedGroup(extensions: Extensions): number | undefined {
  const data = extensions.get(extensionTypes.keyShare)
  if (data === undefined) return undefined
  const reader = new Reader(data, 'key_share')
  const group = reader.u16()
  reader.end()
  return group
}

/** The cookie of a HelloRetryRequest, if it has one. */
export function readCookie(extensions: Extensions): Buffer | undefined {
  const data = extensions.get(extensionTypes.cookie)
  if (data === undefined) return undefined
  const reader = new Reader(data, 'cookie')
  const cookie = reader.vector(2, 1)
  reader.end()
  return cookie
}

export interface ServerShare {
  readonly group: number
  readonly key: Buffer
}

/** The key share of a ServerHello. Resumption without one was not offered. */
export function readServerShare(extensions: Extensions): ServerShare {
  const data = extensions.get(extensionTypes.keyShare)
  if (data === undefined) throw new TlsFault('missing_extension', 'the server sent no key share')
  const reader = new Reader(data, 'key_share')
  const share = { group: reader.u16(), key: reader.vector(2, 1) }
  reader.end()
  return share
}

/** True if the server resumes with the ticket that was offered, which is only ever one. */
export function readResumes(extensions: Extensions): boolean {
  const data = extensions.get(extensionTypes.preSharedKey)
  if (data === undefined) return false
  const reader = new Reader(data, 'pre_shared_key')
  const identity = reader.u16()
  reader.end()
  if (identity !== 0) throw new TlsFault('illegal_parameter', 'the server chose a ticket that was not offered')
  return true
}
