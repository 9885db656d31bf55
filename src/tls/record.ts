/**
 * The record layer (RFC 8446, section 5).
 *
 *     type u8 | version 03 03 | length u16 | fragment                                in plain
 *     23 | 03 03 | length u16 | AEAD(content | type u8 | zeros …)                    protected
 *
 * The nonce is the IV of the direction XORed with the number of the record; the additional data are the five bytes of the header.
 */
import type { CipherGCMTypes, KeyObject } from 'node:crypto'
import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto'
import { leaveYoung } from '../io/young-memory.ts'
import { TlsFault } from './alert.ts'
import { trafficKeys } from './key-schedule.ts'
import type { Suite } from './suites.ts'

export const contentTypes = { changeCipherSpec: 20, alert: 21, handshake: 22, applicationData: 23 } as const

export const HEADER_LENGTH = 5
/** The most content of a record, in bytes. */
export const MAX_CONTENT: number = 2 ** 14
/** The most that the fragment of a protected record may hold. */
const MAX_PROTECTED = MAX_CONTENT + 256
const TAG_LENGTH = 16
const NONCE_LENGTH = 12
/** AES-GCM may protect 2^24.5 full records with one key (section 5.5); from here on a KeyUpdate is due. */
export const MAX_RECORDS: number = 2 ** 24

/**
 * The length of the record whose header lies at `at`, header and all. `isProtected` says whether keys are in use, which leaves room
 * for more.
 */
export function recordLength(bytes: Buffer, at: number, isProtected: boolean): number {
  const type = bytes[at]!
  const length = bytes.readUInt16BE(at + 3)
  if (type < contentTypes.changeCipherSpec || type > contentTypes.applicationData || bytes[at + 1] !== 3) {
    throw new TlsFault('unexpected_message', 'the server answered with what is no TLS record')
  }
  if (length > (isProtected ? MAX_PROTECTED : MAX_CONTENT)) {
    throw new TlsFault('record_overflow', `the server sent a record of ${length} bytes, which is too long`)
  }
  return HEADER_LENGTH + length
}

/** A record in plain. The first hello has version 03 01, as all browsers send it. */
export function plainRecord(type: number, content: Buffer, version: 0x0301 | 0x0303 = 0x0303): Buffer {
  const header = Buffer.of(type, version >> 8, version & 0xff, content.length >> 8, content.length & 0xff)
  return Buffer.concat([header, content])
}

/** What both directions have: the key, and a nonce that counts the records. */
class Protection {
  readonly suite: Suite
  readonly key: KeyObject
  readonly #iv: Buffer
  readonly #nonce = Buffer.alloc(NONCE_LENGTH)
  /** How many records this key has seen. */
  count = 0

  constructor(suite: Suite, secret: Buffer) {
    const { key, iv } = trafficKeys(suite, secret)
    this.suite = suite
    this.key = createSecretKey(key)
    this.#iv = iv
    iv.copy(this.#nonce)
  }

  /** The nonce of the next record. It is the same memory each time. */
  next(): Buffer {
    const nonce = this.#nonce
    const count = this.count++
    nonce.writeUInt32BE((this.#iv.readUInt32BE(4) ^ Math.floor(count / 2 ** 32)) >>> 0, 4)
    nonce.writeUInt32BE((this.#iv.readUInt32BE(8) ^ (count % 2 ** 32)) >>> 0, 8)
    return nonce
  }
}

/** Node's types know of GCM and of ChaCha20-Poly1305 apart; both take the same calls. */
function cipherName(suite: Suite): CipherGCMTypes {
  return suite.cipher as CipherGCMTypes
}

const tagOption = { authTagLength: TAG_LENGTH }

/** How many bytes a record takes that protects so many bytes. */
export function sealedLength(content: number): number {
  return HEADER_LENGTH + content + 1 + TAG_LENGTH
}

/** Protects the records of one direction. */
export class RecordSealer {
  readonly #protection: Protection

  constructor(suite: Suite, secret: Buffer) {
    this.#protection = new Protection(suite, secret)
  }

  /** How many records have been sealed with this key. */
  get count(): number {
    return this.#protection.count
  }

  /** One record around `content`. */
  seal(type: number, content: Uint8Array): Buffer {
    const record = Buffer.allocUnsafe(sealedLength(content.length))
    this.sealInto(record, 0, type, content)
    return record
  }

  /** Writes one record around `content` into `target` from `at` on, and returns where it ends. */
  sealInto(target: Buffer, at: number, type: number, content: Uint8Array): number {
    const { suite, key } = this.#protection
    const length = content.length + 1
    const start = at + HEADER_LENGTH
    target[at] = contentTypes.applicationData
    target.writeUInt16BE(0x0303, at + 1)
    target.writeUInt16BE(length + TAG_LENGTH, at + 3)
    const cipher = createCipheriv(cipherName(suite), key, this.#protection.next(), tagOption)
    cipher.setAAD(target.subarray(at, start))
    // The content is put together with its type where the ciphertext will lie, so that no other memory is needed.
    target.set(content, start)
    target[start + content.length] = type
    const ciphertext = cipher.update(target.subarray(start, start + length))
    target.set(ciphertext, start)
    freeNow(ciphertext, ciphertext.length)
    cipher.final()
    target.set(cipher.getAuthTag(), start + length)
    return start + length + TAG_LENGTH
  }
}

type Transferable = ArrayBufferLike & { transfer?(length: number): ArrayBuffer }

/**
 * Frees the memory of a result of node:crypto, of `length` bytes, that nobody needs any more. The collector would come when there are
 * 32 MiB of them, and memory that is in no cache costs as much as the cipher. For Node 20 see io/young-memory.ts.
 */
export function freeNow({ buffer }: Buffer, length: number): void {
  // Memory that is shared with other buffers is longer.
  if (buffer.byteLength !== length) return
  const transferable: Transferable = buffer
  if (transferable.transfer === undefined) leaveYoung(length)
  else transferable.transfer(0)
}

export interface Opened {
  readonly type: number
  readonly content: Buffer
}

/** Opens the protected records of one direction. */
export class RecordOpener {
  readonly #protection: Protection

  constructor(suite: Suite, secret: Buffer) {
    this.#protection = new Protection(suite, secret)
  }

  /** Throws bad_record_mac if the record was altered or was protected with another key. The content lies in memory of its own. */
  open(record: Buffer): Opened {
    const { suite, key } = this.#protection
    const end = record.length - TAG_LENGTH
    if (end < HEADER_LENGTH + 1) {
      throw new TlsFault('bad_record_mac', 'the server sent a record that is too short to be protected')
    }
    const decipher = createDecipheriv(cipherName(suite), key, this.#protection.next(), tagOption)
    decipher.setAAD(record.subarray(0, HEADER_LENGTH))
    decipher.setAuthTag(record.subarray(end))
    const inner = decipher.update(record.subarray(HEADER_LENGTH, end))
    try {
      decipher.final()
    } catch (cause) {
      throw new TlsFault('bad_record_mac', 'a record was altered on the way, or protected with another key', { cause })
    }
    return withoutPadding(inner)
  }
}

/** The type is the last byte that is not zero; the zeros after it are padding. */
function withoutPadding(inner: Buffer): Opened {
  let end = inner.length - 1
  while (end >= 0 && inner[end] === 0) end--
  if (end < 0) throw new TlsFault('unexpected_message', 'the server sent a record without a type')
  if (inner.length > MAX_CONTENT + 1)
    throw new TlsFault('record_overflow', 'the server sent a record with too much in it')
  const type = inner[end]!
  const known = type === contentTypes.alert || type === contentTypes.handshake || type === contentTypes.applicationData
  if (!known) throw new TlsFault('unexpected_message', `the server sent a protected record of type ${type}`)
  return { type, content: inner.subarray(0, end) }
}
