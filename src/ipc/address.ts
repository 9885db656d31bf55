/**
 * Addresses of the IPC. Sections "Server Environment Variables", "Client Messages" and "Server Messages".
 *
 *     <address:port> ::= <IPv4> ":" <port> | "[" <IPv6> "]" ":" <port>
 *
 * An IPv6 address without brackets is read too: old tor wrote `1:2::3:4:9999`, in which the last colon is the port's.
 * Errors do not repeat the text: it may be a bridge's address, or a proxy's password that slipped (ANON-4).
 */
import { BlockList, isIP, isIPv6 } from 'node:net'
import { PtError } from '../error.ts'

/** An IP address, or a host name if one is allowed, without brackets; the port is 0 to 65535. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** Reads `<ip>:<port>`. A host name is an error (SENV-8), and so is anything before or after. Throws PT_ADDRESS. */
export function parseAddress(text: string): Address {
  const address = splitAddress(text)
  if (isIP(address.host) === 0) throw bad('what stands before the port is not an IP address')
  return address
}

/** Reads `<ip or host name>:<port>`, as a bridge line or a SOCKS request may name its target. Throws PT_ADDRESS. */
export function parseTarget(text: string): Address {
  const address = splitAddress(text)
  if (isIP(address.host) === 0 && !isHostName(address.host))
    throw bad('what stands before the port is neither an IP address nor a host name')
  return address
}

/** Writes an address; IPv6 in brackets. Reads back as the same address. */
export function formatAddress({ host, port }: Address): string {
  // Without the colon Node 20 would compile its expression for IPv6, which takes a tenth of a PT's start.
  return `${host.includes(':') && isIPv6(host) ? `[${host}]` : host}:${port}`
}

/** Writes an address that reads back with parseAddress; a host name is PT_ADDRESS, as no reader would look it up (SENV-8). */
export function formatIpAddress(address: Address): string {
  const text = formatAddress(address)
  parseAddress(text)
  return text
}

/** 4 or 6 for an IP address without brackets, and 0 for anything else. Rooms that may open no socket ask this. */
export function ipVersion(host: string): number {
  return isIP(host)
}

let loopback: BlockList | undefined

/** True for 127.0.0.0/8, its v4-mapped form, and ::1. */
export function isLoopback(host: string): boolean {
  const version = isIP(host)
  if (version === 4) return host.startsWith('127.')
  return version === 6 && (loopback ??= loopbackAddresses()).check(host, 'ipv6')
}

function loopbackAddresses(): BlockList {
  const list = new BlockList()
  list.addSubnet('127.0.0.0', 8)
  list.addAddress('::1', 'ipv6')
  return list
}

/**
 * True for a name of letters, digits, dash, underscore and dots, of at most 255 bytes (what a SOCKS 5 request can carry).
 * A last label that is a number is no name: system resolvers read `127.1` and `0x7f.1` as addresses.
 */
export function isHostName(text: string): boolean {
  if (text.length > 255 || /\.\.|(?:^|\.)(?:\d+|0[xX][0-9a-fA-F]*)\.?$/.test(text)) return false
  return /^[a-zA-Z0-9_](?:[a-zA-Z0-9_.-]*[a-zA-Z0-9_.])?$/.test(text)
}

function splitAddress(text: string): Address {
  const parts = /^(?:\[([^\]]*)\]|(.*)):(\d{1,5})$/s.exec(text)
  if (parts === null) throw bad('expected <address>:<port>')
  const [, bracketed, bare, digits] = parts
  const port = Number(digits)
  if (port > 65535) throw bad('the port is above 65535')
  if (bracketed !== undefined && !isIPv6(bracketed)) throw bad('no IPv6 address in the brackets')
  return { host: bracketed ?? bare ?? '', port }
}

function bad(why: string): PtError {
  return new PtError('PT_ADDRESS', `malformed address: ${why}`)
}
