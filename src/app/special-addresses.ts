/**
 * Which IP addresses are not out there on the Internet: the registries of RFC 6890, as far as they matter to a tunnel.
 */
import { BlockList, isIP, isIPv6 } from 'node:net'

export type Range = 'unspecified' | 'loopback' | 'private' | 'link-local' | 'documentation' | 'multicast' | 'reserved'

/** A v4-mapped IPv6 address is in the range of its IPv4 address: BlockList sees to that. */
const ranges: Readonly<Record<Range, readonly string[]>> = {
  unspecified: ['0.0.0.0/8', '::/128'],
  loopback: ['127.0.0.0/8', '::1/128'],
  private: ['10.0.0.0/8', '100.64.0.0/10', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7', 'fec0::/10'],
  'link-local': ['169.254.0.0/16', 'fe80::/10'],
  documentation: ['192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24', '2001:db8::/32', '3fff::/20'],
  multicast: ['224.0.0.0/4', 'ff00::/8'],
  // 64:ff9b and 2002 lead into IPv4 from within, to wherever their bits say.
  reserved: ['192.0.0.0/24', '198.18.0.0/15', '240.0.0.0/4', '64:ff9b::/96', '64:ff9b:1::/48', '100::/64', '2002::/16'],
}

const lists = Object.entries(ranges).map(([name, subnets]) => [name as Range, blockListOf(subnets)] as const)

/** The special range of an IP address; `global` for all others, undefined for what is no IP address. */
export function specialRange(host: string): Range | 'global' | undefined {
  const bare = host.replace(/%.*$/, '')
  if (isIP(bare) === 0) return undefined
  return lists.find(([, list]) => list.check(bare, isIPv6(bare) ? 'ipv6' : 'ipv4'))?.[0] ?? 'global'
}

/** A list of subnets, each `<address>/<bits>`. */
export function blockListOf(subnets: readonly string[]): BlockList {
  const list = new BlockList()
  for (const subnet of subnets) {
    const [address = '', bits = ''] = subnet.split('/')
    list.addSubnet(address, Number(bits), isIPv6(address) ? 'ipv6' : 'ipv4')
  }
  return list
}
