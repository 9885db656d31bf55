/**
 * What a SOCKS client writes and how it takes the answers, as plain bytes. RFC 1928, RFC 1929, SOCKS 4 and 4a; the
 * arguments in them are of section "Per-Connection Arguments".
 *
 *     SOCKS 5 →  05 NMETHODS METHODS…                    00: no authentication, 02: user name and password
 *             ←  05 METHOD                               ff: none of them
 *             →  01 ULEN UNAME PLEN PASSWD               only after method 02
 *             ←  01 STATUS                               00: welcome
 *             →  05 01 00 ATYP ADDRESS PORT              ATYP 1: 4 bytes, 3: length and name, 4: 16 bytes
 *             ←  05 REPLY 00 ATYP ADDRESS PORT           00: granted
 *     SOCKS 4 →  04 01 PORT ADDRESS USERID 00            4a: ADDRESS is 00 00 00 01, and NAME 00 stands at the end
 *             ←  00 REPLY PORT ADDRESS                   5a: granted
 */
import { isIPv4, isIPv6 } from 'node:net'
import { PtError } from '../error.ts'
import type { Address, ArgsInit } from '../ipc/index.ts'
import { CLIENT_ARGS_LIMIT, formatClientArgs, parseTarget } from '../ipc/index.ts'
import {
  addressTypes,
  CONNECT,
  FIELD_LIMIT,
  GRANTED4,
  methods,
  PASSWORD_GRANTED,
  PASSWORD_VERSION,
  REJECTED4,
  replies,
  SOCKS4,
  SOCKS5,
} from './wire.ts'

/** The length of version and verdict in a reply. A reserved byte and the address type follow, or in SOCKS 4 a port and an address. */
export const VERDICT_LENGTH = 2
export const BOUND_LENGTH = 2
export const BOUND4_LENGTH = 6

/** The texts of RFC 1928, section 6, and of SOCKS 4. */
const texts5: Readonly<Record<number, string>> = {
  [replies.generalFailure]: 'general SOCKS server failure',
  [replies.notAllowed]: 'connection not allowed by ruleset',
  [replies.networkUnreachable]: 'network unreachable',
  [replies.hostUnreachable]: 'host unreachable',
  [replies.connectionRefused]: 'connection refused',
  [replies.ttlExpired]: 'TTL expired',
  [replies.commandNotSupported]: 'command not supported',
  [replies.addressTypeNotSupported]: 'address type not supported',
}

const texts4: Readonly<Record<number, string>> = {
  [REJECTED4]: 'request rejected or failed',
  0x5c: 'no identd on the client',
  0x5d: 'identd names another user',
}

/** What the client logs in with: per-connection arguments for a PT, or a user for a proxy. */
export interface Login {
  readonly args?: ArgsInit | undefined
  readonly credentials?: { readonly user: string; readonly password?: string | undefined } | undefined
}

/** The two fields of RFC 1929, and the methods to offer with them. */
export interface Login5 {
  readonly methods: readonly number[]
  readonly uname: Uint8Array
  readonly passwd: Uint8Array
}

/** Reads a target without repeating it: it is a bridge. Throws PT_ADDRESS. */
export function requireTarget(text: string): Address {
  try {
    return parseTarget(text)
  } catch {
    throw new PtError('PT_ADDRESS', 'the target of a SOCKS request is not <address>:<port>', { stage: 'argument' })
  }
}

/**
 * Returns what goes into UNAME and PASSWD. With arguments 02 alone is offered: a PT that prefers 00 would lose them without a
 * word. Credentials are for a proxy that asks for them, so it may also choose 00. Throws PT_ARGS.
 */
export function login5({ args = [], credentials }: Login): Login5 {
  const list = argumentBytes(args)
  if (list.length > 0 && credentials !== undefined) throw bad('there is no room for a user name beside arguments')
  if (credentials !== undefined) {
    const uname = Buffer.from(credentials.user)
    const passwd = Buffer.from(credentials.password ?? '')
    if (!isField(uname) || !isField(passwd)) throw bad('user name and password must have 1 to 255 bytes each')
    return { methods: [methods.password, methods.none], uname, passwd }
  }
  if (list.length === 0) return { methods: [methods.none], uname: list, passwd: list }
  return { methods: [methods.password], ...splitArgs(list) }
}

/** Cuts an argument list, as bytes, into UNAME and PASSWD (ARGS-4, ARGS-5). Throws PT_ARGS if both together are too short. */
export function splitArgs(list: Uint8Array): { uname: Uint8Array; passwd: Uint8Array } {
  if (list.length > CLIENT_ARGS_LIMIT) {
    throw bad(`${list.length} bytes of arguments; SOCKS 5 carries at most ${CLIENT_ARGS_LIMIT}`)
  }
  const passwd = list.length > FIELD_LIMIT ? list.subarray(FIELD_LIMIT) : Uint8Array.of(0)
  if (list.length === FIELD_LIMIT + 1 && passwd[0] === 0) {
    throw bad(`a NUL as byte ${list.length}, the last, would be read as the end of arguments of ${FIELD_LIMIT} bytes`)
  }
  return { uname: list.subarray(0, FIELD_LIMIT), passwd }
}

export function encodeGreeting(offered: readonly number[]): Uint8Array {
  return Uint8Array.of(SOCKS5, offered.length, ...offered)
}

export function encodeLogin({ uname, passwd }: Login5): Uint8Array {
  return Buffer.concat(
    [[PASSWORD_VERSION, uname.length], uname, [passwd.length], passwd].map((part) => Uint8Array.from(part)),
  )
}

export function encodeConnect5(target: Address): Uint8Array {
  return encodeRequest5(CONNECT, target)
}

/** A request of SOCKS 5: 05 command 00, the type of the address, the address, the port. */
export function encodeRequest5(command: number, target: Address): Uint8Array {
  return Buffer.concat([Uint8Array.of(SOCKS5, command, 0), encodeTarget5(target)])
}

/** An address as requests and datagrams hold it: its type, itself, and the port. */
export function encodeTarget5({ host, port }: Address): Uint8Array {
  return Buffer.concat([encodeAddress5(host), encodePort(port)])
}

/**
 * CONNECT of SOCKS 4, or 4a for a host name. An IPv4 address that reads as 4a's mark (Arti's dummy target 0.0.0.1 does)
 * goes as a name too. Throws PT_ADDRESS for IPv6, which neither can carry, and PT_ARGS.
 */
export function encodeConnect4({ host, port }: Address, login: Login): Uint8Array {
  if (isIPv6(host)) {
    throw new PtError('PT_ADDRESS', 'SOCKS 4 cannot carry an IPv6 target; SOCKS 5 can', { stage: 'argument' })
  }
  const direct = isIPv4(host) && !/^0\.0\.0\.[^0]/.test(host)
  const address = direct ? encodeIPv4(host) : Uint8Array.of(0, 0, 0, 1)
  const name = direct ? Buffer.alloc(0) : Buffer.from(`${host}\0`)
  const fields = [Uint8Array.of(SOCKS4, CONNECT), encodePort(port), address, userId(login), Uint8Array.of(0), name]
  return Buffer.concat(fields)
}

/** Reads the method that the server chose. Throws PT_SOCKS_REFUSED if it accepts none, PT_SOCKS if it was not offered. */
export function parseMethod(answer: Uint8Array, offered: readonly number[]): number {
  requireVersion5(answer)
  const method = answer[1]!
  if (method === methods.unacceptable) {
    const why = offered.includes(methods.password)
      ? 'takes no user name and password'
      : 'wants an authentication that was not offered'
    throw new PtError('PT_SOCKS_REFUSED', `the SOCKS server ${why}`)
  }
  if (!offered.includes(method)) {
    throw new PtError('PT_SOCKS', `the SOCKS server chose authentication method ${method}, which was not offered`)
  }
  return method
}

/** Throws PT_SOCKS_REFUSED unless the login was welcome. The version byte is not looked at, as some servers put 05. */
export function checkLogin(answer: Uint8Array): void {
  if (answer[1] === PASSWORD_GRANTED) return
  throw new PtError('PT_SOCKS_REFUSED', `the SOCKS server refused the user name and password: status ${answer[1]}`)
}

/**
 * Throws PT_SOCKS_REFUSED unless the first two bytes of a reply grant the connection. A refusal is one whatever follows: some
 * servers put the address type 0 after it, or nothing at all.
 */
export function checkReply5(verdict: Uint8Array): void {
  requireVersion5(verdict)
  const reply = verdict[1]!
  if (reply !== replies.succeeded) throw refused(reply, texts5[reply])
}

/** Returns how many bytes of BND.ADDR and BND.PORT follow the address type of a reply, or 'name' if a length byte says. */
export function parseBoundType([, type]: Uint8Array): number | 'name' {
  if (type === addressTypes.domain) return 'name'
  if (type === addressTypes.ipv4) return 4 + 2
  if (type === addressTypes.ipv6) return 16 + 2
  throw new PtError('PT_SOCKS', `the SOCKS server granted the connection with the unknown address type ${type}`)
}

/** Throws PT_SOCKS_REFUSED unless the first two bytes of a reply of SOCKS 4 grant the connection. The first byte should be 00; tor takes any byte, and so do we. */
export function checkReply4(answer: Uint8Array): void {
  const reply = answer[1]!
  if (reply !== GRANTED4) throw refused(reply, texts4[reply])
}

function refused(reply: number, text = 'no known meaning'): PtError {
  return new PtError('PT_SOCKS_REFUSED', `the SOCKS server refused with reply ${reply}: ${text}`, { reply })
}

function requireVersion5(answer: Uint8Array): void {
  if (answer[0] === SOCKS5) return
  throw new PtError('PT_SOCKS', `expected SOCKS version 5 and found byte ${answer[0]}: is this a SOCKS 5 server?`)
}

function userId({ args = [], credentials }: Login): Uint8Array {
  const list = argumentBytes(args)
  if (list.length > 0 && credentials !== undefined) throw bad('there is no room for a user name beside arguments')
  if (credentials?.password !== undefined) throw bad('SOCKS 4 has no passwords')
  const bytes = credentials === undefined ? list : Buffer.from(credentials.user)
  if (bytes.includes(0)) throw bad('a NUL cannot travel in the USERID of SOCKS 4')
  return bytes
}

/** What no SOCKS 5 request could carry is written as tor writes it; what SOCKS 4 carries has no such limit. */
function argumentBytes(args: ArgsInit): Uint8Array {
  return Buffer.from(formatClientArgs(args, CLIENT_ARGS_LIMIT))
}

function isField(bytes: Uint8Array): boolean {
  return bytes.length >= 1 && bytes.length <= FIELD_LIMIT
}

function encodeAddress5(host: string): Uint8Array {
  if (isIPv4(host)) return Uint8Array.of(addressTypes.ipv4, ...encodeIPv4(host))
  if (isIPv6(host)) return Uint8Array.of(addressTypes.ipv6, ...encodeIPv6(host))
  return Uint8Array.of(addressTypes.domain, host.length, ...Buffer.from(host))
}

function encodePort(port: number): Uint8Array {
  return Uint8Array.of(port >> 8, port & 0xff)
}

function encodeIPv4(host: string): Uint8Array {
  return Uint8Array.from(host.split('.'), Number)
}

/** The 16 bytes of an IPv6 address: the groups before `::`, zeros, the groups after it; a dotted tail is two groups. */
function encodeIPv6(host: string): Uint8Array {
  if (host.includes('%')) {
    throw new PtError('PT_ADDRESS', 'the target has an IPv6 zone, which SOCKS cannot carry', { stage: 'argument' })
  }
  const hex = host.replace(/\d+\.\d+\.\d+\.\d+$/, (v4) => {
    const [a, b, c, d] = encodeIPv4(v4)
    return `${((a! << 8) | b!).toString(16)}:${((c! << 8) | d!).toString(16)}`
  })
  const [before = [], behind = []] = hex.split('::').map((half) => half.split(':').filter((group) => group !== ''))
  const zeros = Array.from<string>({ length: 8 - before.length - behind.length }).fill('0')
  return Uint8Array.from(
    [...before, ...zeros, ...behind].flatMap((group) => {
      const value = Number.parseInt(group, 16)
      return [value >> 8, value & 0xff]
    }),
  )
}

function bad(why: string): PtError {
  return new PtError('PT_ARGS', why, { stage: 'argument' })
}
