/**
 * What a SOCKS client says, read from bytes that have arrived; no stream. Section "Per-Connection Arguments", RFC 1928
 * sections 3 to 5, RFC 1929 section 2. A message that cannot be served throws with the bytes that tell the client so.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { isIP, SocketAddress } from 'node:net'
import type { PtErrorCode } from '../error.ts'
import { PtError } from '../error.ts'
import type { Address, Args } from '../ipc/index.ts'
import { isHostName, parseClientArgs } from '../ipc/index.ts'
import {
  addressTypes,
  CONNECT,
  formatReply4,
  formatReply5,
  methods,
  PASSWORD_REFUSED,
  PASSWORD_VERSION,
  REJECTED4,
  replies,
  SOCKS4,
  SOCKS5,
} from './wire.ts'

/** An error for a violation, with the last bytes that the client gets. */
export class SocksFailure extends PtError {
  readonly answer: Uint8Array

  constructor(code: PtErrorCode, message: string, answer: Uint8Array, cause?: unknown) {
    super(code, message, { cause, ...(code === 'PT_ARGS' && { stage: 'argument' as const }) })
    this.answer = answer
  }
}

/** A client that takes this for an HTTP proxy, which is the most frequent mistake at a SOCKS port. */
export class SpokeHttp extends PtError {
  /** The answer is HTTP/1.0, so that the client expects nothing more. */
  readonly answer: Uint8Array = Buffer.from(
    'HTTP/1.0 501 This is a SOCKS port, not an HTTP proxy\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n' +
      'This is a SOCKS port, not an HTTP proxy. In the settings of the program, enter it as the SOCKS 5 host\n' +
      '(socks5h://…), and leave the HTTP proxy empty.\n',
  )
}

export type Preference = 'auth' | 'none'

/** The error for a first byte that is neither 4 nor 5; it names the protocol that a wrongly configured client speaks. */
function notSocks(first: number): PtError {
  const what = `the first byte is ${hex(first)}, neither SOCKS 5 nor SOCKS 4`
  if (/[A-Z]/.test(String.fromCharCode(first))) {
    const hint = 'an HTTP client? this is a SOCKS port: use socks5h:// or socks4a:// in its proxy setting'
    return new SpokeHttp('PT_SOCKS', `${what} (${hint})`)
  }
  const guess = first === 0x16 ? ' (a TLS client? this is a SOCKS port, without TLS)' : ''
  return new PtError('PT_SOCKS', `${what}${guess}`)
}

/** Returns the length of a client's first message: for SOCKS 5 the methods that it offers, for SOCKS 4 the version alone. */
export function greetingLength([version = 0, count]: Uint8Array): number | undefined {
  if (version === SOCKS4) return 1
  if (version !== SOCKS5) throw notSocks(version)
  return count === undefined ? undefined : 2 + count
}

/** Returns the length of a password message: version (1) | length (1) | UNAME | length (1) | PASSWD. */
export function passwordLength(held: Uint8Array): number | undefined {
  const [version = 0, unameLength] = held
  if (version !== PASSWORD_VERSION) throw badPassword(`its version is ${hex(version)}, not 0x01`)
  if (unameLength === undefined) return undefined
  const passwdLength = held[2 + unameLength]
  return passwdLength === undefined ? undefined : 3 + unameLength + passwdLength
}

export function splitPassword(message: Buffer): { readonly uname: Buffer; readonly passwd: Buffer } {
  const unameEnd = 2 + (message[1] ?? 0)
  return { uname: message.subarray(2, unameEnd), passwd: message.subarray(unameEnd + 1) }
}

/** Returns the length of a SOCKS 5 request: header (4) | address, a domain with its length before it | port (2). */
export function requestLength5(held: Uint8Array): number | undefined {
  if (held.length < headerLength5) return undefined
  const type = readHeader5(held)
  if (type !== addressTypes.domain) return headerLength5 + (type === addressTypes.ipv4 ? 4 : 16) + 2
  const length = held[headerLength5]
  return length === undefined ? undefined : headerLength5 + 1 + length + 2
}

/**
 * Picks one of the offered methods. The password comes first unless `prefer` says otherwise: tor and Arti offer it only when there are
 * arguments, and a server that then answers 00 loses them without a word.
 */
export function chooseMethod(offered: Uint8Array, prefer: Preference): number {
  const wanted = prefer === 'auth' ? [methods.password, methods.none] : [methods.none, methods.password]
  const method = wanted.find((candidate) => offered.includes(candidate))
  if (method !== undefined) return method
  throw new SocksFailure(
    'PT_SOCKS',
    'the client offers neither "no authentication" (00) nor "user name and password" (02)',
    Uint8Array.of(SOCKS5, methods.unacceptable),
  )
}

/** Picks the method if a password is wanted: there is no other. */
export function requireLogin(offered: Uint8Array): number {
  if (offered.includes(methods.password)) return methods.password
  const why = 'the client does not offer to log in, and this port wants a password'
  throw new SocksFailure('PT_SOCKS', why, Uint8Array.of(SOCKS5, methods.unacceptable))
}

/** Compares hashes, and these in constant time: neither the length nor the beginning of the password shows. */
export function checkPassword(given: Uint8Array, wanted: string): void {
  const [a, b] = [given, Buffer.from(wanted)].map((bytes) => createHash('sha256').update(bytes).digest())
  if (!timingSafeEqual(a!, b!)) throw new SocksFailure('PT_DENIED', 'SOCKS: the password is wrong', passwordRefused)
}

/** Reads the arguments of UNAME and PASSWD: the bytes of both, except a PASSWD of a single NUL, which only fills its place. */
export function readPasswordArgs(uname: Uint8Array, passwd: Uint8Array): Args {
  if (uname.length === 0) throw badPassword('the user name is empty')
  if (passwd.length === 0) throw badPassword('the password is empty: it takes one NUL, or the end of the arguments')
  const filler = passwd.length === 1 && passwd[0] === 0
  // The client cuts by length and not by meaning: the cut may be inside a key, an escape or a UTF-8 sequence.
  return readArgs(filler ? uname : Buffer.concat([uname, passwd]), passwordRefused)
}

/** Reads the arguments of USERID, without its NUL. */
export function readUseridArgs(userid: Uint8Array): Args {
  return readArgs(userid, formatReply4(REJECTED4))
}

const headerLength5 = 4
const knownTypes: ReadonlySet<number> = new Set(Object.values(addressTypes))

/** Checks the first four bytes of a SOCKS 5 request and returns its address type. */
function readHeader5(header: Uint8Array): number {
  const [version = 0, command = 0, reserved = 0, type = 0] = header
  if (version !== SOCKS5) throw refused5(`the version of the request is ${hex(version)}`, replies.generalFailure)
  if (command !== CONNECT)
    throw refused5(`command ${hex(command)} is not served, CONNECT only`, replies.commandNotSupported)
  // A reserved byte has no use yet, so another value is a client that lost its place, and what follows is no address.
  if (reserved !== 0) throw refused5(`the reserved byte is ${hex(reserved)}`, replies.generalFailure)
  if (!knownTypes.has(type)) throw refused5(`address type ${hex(type)} is unknown`, replies.addressTypeNotSupported)
  return type
}

/** Reads the address of a whole SOCKS 5 request. */
export function readTarget5(request: Uint8Array): Address {
  const type = readHeader5(request)
  const portAt = request.length - 2
  const address = request.subarray(headerLength5 + (type === addressTypes.domain ? 1 : 0), portAt)
  const port = request.subarray(portAt)
  const host =
    type === addressTypes.domain
      ? readName(address, formatReply5(replies.generalFailure))
      : type === addressTypes.ipv4
        ? address.join('.')
        : formatIPv6(address)
  return { host, port: readPort(port) }
}

/** Checks the seven bytes after the version of a SOCKS 4 request; `host` is missing if a name follows (SOCKS 4a). */
export function readHeader4(header: Uint8Array): { readonly port: number; readonly host: string | undefined } {
  const [command = 0] = header
  if (command !== CONNECT) throw refused4(`command ${hex(command)} is not served, CONNECT only`)
  const address = header.subarray(3)
  const named = address[0] === 0 && address[1] === 0 && address[2] === 0 && address[3] !== 0
  return { port: readPort(header.subarray(1, 3)), host: named ? undefined : address.join('.') }
}

/** Reads the name of a SOCKS 4a request, without its NUL. */
export function readName4(name: Uint8Array): string {
  return readName(name, formatReply4(REJECTED4))
}

/** Makes the error for a violation of SOCKS 4. */
export function refused4(why: string, cause?: unknown): SocksFailure {
  return new SocksFailure('PT_SOCKS', `SOCKS 4: ${why}`, formatReply4(REJECTED4), cause)
}

function refused5(why: string, code: number): SocksFailure {
  return new SocksFailure('PT_SOCKS', `SOCKS 5: ${why}`, formatReply5(code))
}

const passwordRefused = Uint8Array.of(PASSWORD_VERSION, PASSWORD_REFUSED)

function badPassword(why: string): SocksFailure {
  return new SocksFailure('PT_SOCKS', `SOCKS 5 password message: ${why}`, passwordRefused)
}

function readArgs(bytes: Uint8Array, answer: Uint8Array): Args {
  try {
    return parseClientArgs(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch (error) {
    const why = error instanceof PtError ? error.message : 'malformed client arguments: not UTF-8'
    throw new SocksFailure('PT_ARGS', why, answer)
  }
}

/**
 * A name goes on to resolvers and into requests to an upstream proxy, so it is letters, digits, dots and dashes or an IP
 * address, and the message does not repeat it. Some clients write an IP address as a name, in brackets as in a URL.
 */
function readName(bytes: Uint8Array, answer: Uint8Array): string {
  const name = Buffer.from(bytes).toString('latin1')
  const bracketed = /^\[([^\]]*)\]$/.exec(name)?.[1]
  if (bracketed !== undefined && isIP(bracketed) !== 0) return bracketed
  if (isIP(name) !== 0 || isHostName(name)) return name
  const why = name === '' ? 'the host name is empty' : 'the host name holds other than letters, digits, dots and dashes'
  throw new SocksFailure('PT_SOCKS', `SOCKS request: ${why}`, answer)
}

function readPort(bytes: Uint8Array): number {
  const [high = 0, low = 0] = bytes
  return high * 256 + low
}

function formatIPv6(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, index) => readPort(bytes.subarray(2 * index)).toString(16))
  return new SocketAddress({ family: 'ipv6', address: groups.join(':') }).address
}

function hex(byte: number): string {
  return `0x${byte.toString(16).padStart(2, '0')}`
}
