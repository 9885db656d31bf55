/** Extensions (RFC 8446, section 4.2): a list of type u16, length u16 and data. */
import { TlsFault } from '../alert.ts'
import type { Reader } from '../wire.ts'
import { u16, vector } from '../wire.ts'

export const extensionTypes = {
  serverName: 0x0000,
  maxFragmentLength: 0x0001,
  statusRequest: 0x0005,
  supportedGroups: 0x000a,
  signatureAlgorithms: 0x000d,
  alpn: 0x0010,
  signedCertificateTimestamp: 0x0012,
  compressCertificate: 0x001b,
  recordSizeLimit: 0x001c,
  delegatedCredential: 0x0022,
  sessionTicket: 0x0023,
  preSharedKey: 0x0029,
  earlyData: 0x002a,
  supportedVersions: 0x002b,
  cookie: 0x002c,
  certificateAuthorities: 0x002f,
  pskKeyExchangeModes: 0x002d,
  keyShare: 0x0033,
  applicationSettings: 0x44cd,
  trustAnchors: 0xca34,
  encryptedClientHello: 0xfe0d,
} as const

/** What one message holds, by type, in the order of the wire. */
export type Extensions = ReadonlyMap<number, Buffer>

export function extension(type: number, ...data: readonly Uint8Array[]): Buffer {
  return Buffer.concat([u16(type), vector(2, ...data)])
}

/** Reads the list that `reader` comes to next. No type may stand in it twice. */
export function readExtensions(reader: Reader): Extensions {
  const list = reader.list(2)
  const extensions = new Map<number, Buffer>()
  while (list.left > 0) {
    const type = list.u16()
    if (extensions.has(type)) {
      throw new TlsFault('illegal_parameter', `the server sent the extension ${hex(type)} twice in one message`)
    }
    extensions.set(type, list.vector(2))
  }
  return extensions
}

/**
 * Refuses what may not stand in a message: an extension that was not offered, and one that belongs elsewhere
 * (RFC 8446, section 4.2).
 */
export function checkExtensions(
  extensions: Extensions,
  where: string,
  allowed: readonly number[],
  offered: ReadonlySet<number>,
): void {
  for (const type of extensions.keys()) {
    if (!offered.has(type)) {
      throw new TlsFault(
        'unsupported_extension',
        `the server's ${where} has the extension ${hex(type)}, which was not offered`,
      )
    }
    if (!allowed.includes(type)) {
      throw new TlsFault(
        'illegal_parameter',
        `the server's ${where} has the extension ${hex(type)}, which has no place there`,
      )
    }
  }
}

function hex(type: number): string {
  return type.toString(16).padStart(4, '0')
}
