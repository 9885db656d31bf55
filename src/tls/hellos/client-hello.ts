/**
 * A ClientHello that somebody sent (RFC 8446, section 4.1.2), read strictly: what a capture holds, or what a browser sends to a listener.
 *
 *     16 03 0x | length u16 | fragment …                          records, or the message alone:
 *     01 | length u24 | 03 03 | random 32 | session id <0..32> | suites <2..> | compression <1..> | extensions <8..>
 */
import { extensionTypes } from '../messages/extensions.ts'
import { handshakeTypes } from '../messages/handshake.ts'
import type { Reader } from '../wire.ts'
import { contentsOf } from './contents.ts'
import { nameOfExtension } from './names.ts'
import { malformedHello, reading } from './reading.ts'

/** In bytes: the longest message that is taken. Those of browsers have 2 to 3 KiB. */
const MOST = 32_768
const RECORD_HEADER = 5
const HANDSHAKE = 0x16

export interface CapturedHello {
  /** Of the message, without headers of records. */
  readonly length: number
  readonly version: number
  readonly sessionIdLength: number
  readonly suites: readonly number[]
  readonly compressions: readonly number[]
  /** In the order of the wire. */
  readonly extensions: readonly CapturedExtension[]
}

export interface CapturedExtension {
  readonly type: number
  readonly data: Buffer
}

/** Reads a hello, with or without the headers of its records. Throws PT_PROFILE, which names the field that is malformed. */
export function readClientHello(bytes: Buffer): CapturedHello {
  if (bytes[0] !== HANDSHAKE) return readMessage(bytes)
  const found = firstMessage(bytes)
  if (found === undefined) throw malformedHello('it is cut off')
  if (found.end < bytes.length) throw malformedHello('there are bytes after its end')
  return readMessage(found.message)
}

/**
 * The message that the first records of a connection hold, and where they end; undefined as long as more bytes are needed. Throws
 * PT_PROFILE if it is none.
 */
export function firstMessage(bytes: Buffer): { readonly message: Buffer; readonly end: number } | undefined {
  const fragments: Buffer[] = []
  let at = 0
  for (let held = 0; ;) {
    checkRecord(bytes.subarray(at, at + RECORD_HEADER))
    if (bytes.length < at + RECORD_HEADER) return undefined
    const end = at + RECORD_HEADER + bytes.readUInt16BE(at + 3)
    const fragment = bytes.subarray(at + RECORD_HEADER, end)
    fragments.push(fragment)
    held += fragment.length
    at = end
    const message = fragments.length === 1 ? fragment : Buffer.concat(fragments)
    if (held > 0 && message[0] !== handshakeTypes.clientHello) throw malformedHello('it is another message')
    const length = held < 4 ? Number.POSITIVE_INFINITY : 4 + message.readUIntBE(1, 3)
    if (length !== Number.POSITIVE_INFINITY && length > MOST) throw malformedHello(`it is longer than ${MOST} bytes`)
    if (held > length) throw malformedHello('there are bytes after its end')
    if (bytes.length < end) return undefined
    if (held === length) return { message, end }
  }
}

function checkRecord(header: Buffer): void {
  const [type = HANDSHAKE, major = 3, minor = 1] = header
  const isEmpty = header.length === RECORD_HEADER && header.readUInt16BE(3) === 0
  if (type !== HANDSHAKE || major !== 3 || minor > 4 || isEmpty)
    throw malformedHello('its record is none of a handshake')
}

function readMessage(message: Buffer): CapturedHello {
  const hello = reading('message', message, (reader) => {
    if (message.length > MOST) throw malformedHello(`it is longer than ${MOST} bytes`)
    if (reader.u8() !== handshakeTypes.clientHello) throw malformedHello('it is another message')
    const body = reader.list(3)
    const version = body.u16()
    body.bytes(32)
    const sessionIdLength = body.vector(1).length
    const suites = body.list(2, 2).u16s()
    const compressions = [...body.vector(1, 1)]
    const extensions = body.left === 0 ? [] : readList(body)
    body.end()
    return { length: message.length, version, sessionIdLength, suites, compressions, extensions }
  })
  checkExtensions(hello.extensions)
  return hello
}

function readList(body: Reader): CapturedExtension[] {
  const list = body.list(2)
  const extensions: CapturedExtension[] = []
  while (list.left > 0) extensions.push({ type: list.u16(), data: list.vector(2) })
  return extensions
}

function checkExtensions(extensions: readonly CapturedExtension[]): void {
  const types = extensions.map(({ type }) => type)
  const repeated = types.find((type, at) => types.indexOf(type) < at)
  if (repeated !== undefined) throw malformedHello(`the extension ${nameOfExtension(repeated)} stands in it twice`)
  const psk = types.indexOf(extensionTypes.preSharedKey)
  if (psk >= 0 && psk < types.length - 1) throw malformedHello('pre_shared_key is not its last extension')
  // Whatever this client knows to read has to be well-formed.
  for (const { type, data } of extensions) contentsOf(type, data)
}

/** The data of one extension; undefined if the hello has none of that type. */
export function dataOf({ extensions }: CapturedHello, type: number): Buffer | undefined {
  return extensions.find((one) => one.type === type)?.data
}

/** True if a hello is that of a repeat visit, with a ticket. */
export function hasTicket(hello: CapturedHello): boolean {
  return dataOf(hello, extensionTypes.preSharedKey) !== undefined
}
