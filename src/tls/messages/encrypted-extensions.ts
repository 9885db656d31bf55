/** EncryptedExtensions (RFC 8446, section 4.3.1): what the server agrees to besides the keys. */
import { TlsFault } from '../alert.ts'
import { Reader } from '../wire.ts'
import { checkExtensions, extensionTypes, readExtensions } from './extensions.ts'

/** What may stand in it (the table of RFC 8446, section 4.2, RFC 8449, RFC 9849, and drafts that Chromium follows). */
const allowed = [
  extensionTypes.serverName,
  extensionTypes.supportedGroups,
  extensionTypes.alpn,
  extensionTypes.recordSizeLimit,
  extensionTypes.applicationSettings,
  extensionTypes.encryptedClientHello,
  extensionTypes.trustAnchors,
]

/** The least limit that a server may ask for (RFC 8449, section 4). */
const LEAST_RECORD_SIZE = 64

export interface EncryptedExtensions {
  /** The protocol of the application that the server chose. */
  readonly alpn: string | undefined
  /** The most bytes that a record to the server may protect, with the byte of its type. */
  readonly recordSizeLimit: number | undefined
  /** True if the server sent settings of the application (ALPS), so that the client has to send its own. */
  readonly hasApplicationSettings: boolean
}

export function readEncryptedExtensions(
  body: Buffer,
  offered: ReadonlySet<number>,
  protocols: readonly string[],
): EncryptedExtensions {
  const reader = new Reader(body, 'EncryptedExtensions')
  const extensions = readExtensions(reader)
  reader.end()
  checkExtensions(extensions, 'EncryptedExtensions', allowed, offered)
  if ((extensions.get(extensionTypes.serverName)?.length ?? 0) > 0) {
    throw new TlsFault('decode_error', 'the server answered the server name with data')
  }
  checkEchConfigs(extensions.get(extensionTypes.encryptedClientHello))
  const alpn = readAlpn(extensions.get(extensionTypes.alpn), protocols)
  const hasApplicationSettings = extensions.has(extensionTypes.applicationSettings)
  if (hasApplicationSettings && alpn === undefined) {
    throw new TlsFault('illegal_parameter', 'the server sent settings of an application that it did not choose')
  }
  return { alpn, recordSizeLimit: readLimit(extensions.get(extensionTypes.recordSizeLimit)), hasApplicationSettings }
}

/**
 * A server that rejects ECH sends its configurations. They are of no use to a hello that encrypts nothing, but their form is checked, as
 * with browsers (RFC 9849, section 6.2): version u16 | contents <0..2^16-1>, one or more of them.
 */
function checkEchConfigs(data: Buffer | undefined): void {
  if (data === undefined) return
  const reader = new Reader(data, 'list of ECH configurations')
  const list = reader.list(2, 4)
  reader.end()
  while (list.left > 0) {
    list.u16()
    list.vector(2)
  }
}

function readAlpn(data: Buffer | undefined, protocols: readonly string[]): string | undefined {
  if (data === undefined) return undefined
  const reader = new Reader(data, 'ALPN')
  const list = reader.list(2)
  const protocol = list.vector(1, 1).toString('latin1')
  list.end()
  reader.end()
  if (!protocols.includes(protocol)) {
    throw new TlsFault('illegal_parameter', 'the server chose a protocol that was not offered by ALPN')
  }
  return protocol
}

function readLimit(data: Buffer | undefined): number | undefined {
  if (data === undefined) return undefined
  const reader = new Reader(data, 'record_size_limit')
  const limit = reader.u16()
  reader.end()
  if (limit < LEAST_RECORD_SIZE) {
    throw new TlsFault('illegal_parameter', `the server wants records of at most ${limit} bytes, which is too few`)
  }
  return limit
}
