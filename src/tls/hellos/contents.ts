/** What the extensions of a captured hello say, by type. */
import { extensionTypes } from '../messages/extensions.ts'
import type { Reader } from '../wire.ts'
import { nameOfExtension } from './names.ts'
import { reading } from './reading.ts'

export interface CapturedShare {
  readonly group: number
  readonly key: Buffer
}

export interface CapturedEch {
  /** 0 for the outer hello, which is the only one that is sent. */
  readonly form: number
  readonly kdf: number
  readonly aead: number
  readonly keyLength: number
  readonly payloadLength: number
}

export interface CapturedPsk {
  /** In bytes. */
  readonly tickets: readonly number[]
  readonly binders: readonly number[]
}

/** What is in an extension. `bytes` are of a type that is not read. */
export type Contents =
  | { readonly is: 'name'; readonly length: number }
  | { readonly is: 'numbers'; readonly numbers: readonly number[] }
  | { readonly is: 'protocols'; readonly protocols: readonly string[] }
  | { readonly is: 'shares'; readonly shares: readonly CapturedShare[] }
  | { readonly is: 'limit'; readonly limit: number }
  | { readonly is: 'ech'; readonly ech: CapturedEch }
  | { readonly is: 'psk'; readonly psk: CapturedPsk }
  | { readonly is: 'bytes'; readonly bytes: Buffer }

const types = extensionTypes
const two = (reader: Reader): Contents => ({ is: 'numbers', numbers: reader.list(2, 2).u16s() })
const one = (reader: Reader): Contents => ({ is: 'numbers', numbers: reader.list(1, 2).u16s() })

const readers: Readonly<Record<number, (reader: Reader) => Contents>> = {
  [types.serverName]: readName,
  [types.supportedGroups]: two,
  [types.signatureAlgorithms]: two,
  [types.delegatedCredential]: two,
  [types.compressCertificate]: one,
  [types.supportedVersions]: one,
  [types.alpn]: readProtocols,
  [types.applicationSettings]: readProtocols,
  [types.keyShare]: readShares,
  [types.recordSizeLimit]: (reader) => ({ is: 'limit', limit: reader.u16() }),
  [types.encryptedClientHello]: readEch,
  [types.preSharedKey]: readPsk,
}

/** Reads the data of an extension. Throws PT_PROFILE if they are malformed. */
export function contentsOf(type: number, data: Buffer): Contents {
  const read = readers[type]
  return read === undefined ? { is: 'bytes', bytes: data } : reading(nameOfExtension(type), data, read)
}

function readName(reader: Reader): Contents {
  const list = reader.list(2, 1)
  list.u8()
  const { length } = list.vector(2, 1)
  list.end()
  return { is: 'name', length }
}

function readProtocols(reader: Reader): Contents {
  const list = reader.list(2, 2)
  const protocols: string[] = []
  while (list.left > 0) protocols.push(list.vector(1, 1).toString('latin1'))
  return { is: 'protocols', protocols }
}

function readShares(reader: Reader): Contents {
  const list = reader.list(2)
  const shares: CapturedShare[] = []
  while (list.left > 0) shares.push({ group: list.u16(), key: list.vector(2, 1) })
  return { is: 'shares', shares }
}

function readEch(reader: Reader): Contents {
  const ech = { form: reader.u8(), kdf: reader.u16(), aead: reader.u16() }
  reader.u8()
  return { is: 'ech', ech: { ...ech, keyLength: reader.vector(2).length, payloadLength: reader.vector(2, 1).length } }
}

function readPsk(reader: Reader): Contents {
  const tickets: number[] = []
  const identities = reader.list(2, 7)
  while (identities.left > 0) {
    tickets.push(identities.vector(2, 1).length)
    identities.u32()
  }
  const binders: number[] = []
  const list = reader.list(2, 33)
  while (list.left > 0) binders.push(list.vector(1, 32).length)
  return { is: 'psk', psk: { tickets, binders } }
}
