/**
 * Addresses of the IPC. Sections "Server Environment Variables" and "Transport Messages".
 *
 *     <address:port> ::= <IPv4> ":" <port> | "[" <IPv6> "]" ":" <port>
 *
 * An IPv6 address without brackets is read too: old tor wrote `1:2::3:4:9999`, where the last colon is the port's.
 */
import { isIP, isIPv6 } from 'node:net'
import { PtError } from '../error.ts'

/** An IP address, or a host name where one is allowed, without brackets, and a port of 0 to 65535. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** Reads `<ip>:<port>`. A host name is an error (SENV-8), and so is anything before or after. Throws PT_ADDRESS. */
export function parseAddress(text: string): Address {
  const address = splitAddress(text)
  if (isIP(address.host) === 0) throw bad(text, 'the address before the port is not an IP address')
  return address
}

/** Reads `<ip or host name>:<port>`, as a bridge line or a SOCKS request may name its target. Throws PT_ADDRESS. */
export function parseTarget(text: string): Address {
  const address = splitAddress(text)
  if (isIP(address.host) === 0 && !isHostName(address.host)) throw bad(text, 'no IP address and no host name')
  return address
}

/** Writes an address; IPv6 in brackets. Reads back as the same address. */
export function formatAddress({ host, port }: Address): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`
}

/** True for 127.0.0.0/8, ::1 and the v4-mapped form of the former. */
export function isLoopback(host: string): boolean {
  return /^(?:::ffff:)?127\.\d+\.\d+\.\d+$/i.test(host) || /^(?:0*:)+0*1$/.test(host)
}

/** True for a name of letters, digits, dash, underscore and dots, of at most 255 bytes (what a SOCKS 5 request can carry). */
export function isHostName(text: string): boolean {
  return text.length <= 255 && /^[a-zA-Z0-9_](?:[a-zA-Z0-9_.-]*[a-zA-Z0-9_.])?$/.test(text) && !/\.\./.test(text)
}

function splitAddress(text: string): Address {
  const parts = /^(?:\[([^\]]*)\]|(.*)):(\d{1,5})$/s.exec(text)
  if (parts === null) throw bad(text, 'expected <address>:<port>')
  const [, bracketed, bare, digits] = parts
  const port = Number(digits)
  if (port > 65535) throw bad(text, 'the port is above 65535')
  if (bracketed !== undefined && !isIPv6(bracketed)) throw bad(text, 'no IPv6 address in the brackets')
  return { host: bracketed ?? bare ?? '', port }
}

function bad(text: string, why: string): PtError {
  return new PtError('PT_ADDRESS', `${JSON.stringify(text)}: ${why}`)
}
