/**
 * Subnets of IPv4 and IPv6, and which of them holds what.
 *
 *     10.0.0.0/8      2001:db8::/32      ::ffff:10.0.0.0/104, which is 10.0.0.0/8
 *
 * An IPv4 address that is written as an IPv6 one (`::ffff:10.0.0.1`) is the IPv4 address, here as for the system.
 */
import { isIPv4, isIPv6 } from 'node:net'

export interface Subnet {
  readonly width: 32 | 128
  readonly bits: number
  /** The first `bits` bits of the address. */
  readonly prefix: bigint
}

interface Ip {
  readonly width: 32 | 128
  readonly value: bigint
}

const MAPPED = 0xffffn
const MAPPED_BITS = 96

/** Reads `<address>/<bits>`, or an address, which is a subnet of one. Undefined if it is neither. */
export function parseSubnet(text: string): Subnet | undefined {
  const [address = '', length, ...surplus] = text.split('/')
  const bare = withoutZone(address)
  const written = isIPv4(bare) ? 32 : 128
  if (surplus.length > 0 || (length !== undefined && !/^\d{1,3}$/.test(length))) return undefined
  const ip = parseIp(bare)
  const bits = length === undefined ? written : Number(length)
  if (ip === undefined || bits > written) return undefined
  if (written === ip.width) return cut(ip, bits)
  // Wider than all of the IPv4 addresses in IPv6, it is a subnet of IPv6.
  if (bits < MAPPED_BITS) return cut({ width: 128, value: (MAPPED << 32n) | ip.value }, bits)
  return cut(ip, bits - MAPPED_BITS)
}

/** True if the subnet holds the IP address; a zone (`%eth0`) does not count. */
export function holds(subnet: Subnet, address: string): boolean {
  const ip = parseIp(withoutZone(address))
  return ip !== undefined && ip.width === subnet.width && prefixOf(ip, subnet.bits) === subnet.prefix
}

/** True if all of `inner` is in `outer`. */
export function isWithin(inner: Subnet, outer: Subnet): boolean {
  if (inner.width !== outer.width || inner.bits < outer.bits) return false
  return inner.prefix >> BigInt(inner.bits - outer.bits) === outer.prefix
}

/** True if both are the same address, however they are written. */
export function isSameIp(a: string, b: string): boolean {
  const [one, other] = [parseIp(withoutZone(a)), parseIp(withoutZone(b))]
  return one !== undefined && one.width === other?.width && one.value === other.value
}

function withoutZone(address: string): string {
  return address.replace(/%.*$/s, '')
}

function cut(ip: Ip, bits: number): Subnet {
  return { width: ip.width, bits, prefix: prefixOf(ip, bits) }
}

function prefixOf({ width, value }: Ip, bits: number): bigint {
  return value >> BigInt(width - bits)
}

function parseIp(text: string): Ip | undefined {
  if (isIPv4(text)) return { width: 32, value: valueOf(text.split('.'), 10, 8n) }
  if (!isIPv6(text)) return undefined
  const hex = text.replace(/\d+\.\d+\.\d+\.\d+$/, (tail) => {
    const value = valueOf(tail.split('.'), 10, 8n)
    return `${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`
  })
  const [before = [], after = []] = hex.split('::').map((half) => half.split(':').filter((group) => group !== ''))
  const zeros = Array.from<string>({ length: 8 - before.length - after.length }).fill('0')
  const value = valueOf([...before, ...zeros, ...after], 16, 16n)
  const isMapped = value >> 32n === MAPPED
  return isMapped ? { width: 32, value: value & 0xffff_ffffn } : { width: 128, value }
}

function valueOf(groups: readonly string[], radix: number, bits: bigint): bigint {
  return groups.reduce((value, group) => (value << bits) | BigInt(Number.parseInt(group, radix)), 0n)
}
