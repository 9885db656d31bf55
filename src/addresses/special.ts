/**
 * Which IP addresses are not out there on the Internet: the registries of RFC 6890 as IANA keeps them, as far as they matter
 * to a tunnel. Of IPv6 only 2000::/3 has ever been given out, so everything else is reserved whatever the registry says.
 */
import { isIP } from 'node:net'
import type { Subnet } from './subnets.ts'
import { holds, parseSubnet } from './subnets.ts'

export type Range = 'unspecified' | 'loopback' | 'private' | 'link-local' | 'documentation' | 'multicast' | 'reserved'

const ranges: Readonly<Record<Range, readonly string[]>> = {
  unspecified: ['0.0.0.0/8', '::/128'],
  loopback: ['127.0.0.0/8', '::1/128'],
  private: ['10.0.0.0/8', '100.64.0.0/10', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7', 'fec0::/10'],
  'link-local': ['169.254.0.0/16', 'fe80::/10'],
  documentation: ['192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24', '2001:db8::/32', '3fff::/20'],
  multicast: ['224.0.0.0/4', 'ff00::/8'],
  reserved: [
    '192.0.0.0/24',
    '192.88.99.0/24',
    '198.18.0.0/15',
    '240.0.0.0/4',
    // These lead into IPv4 from within, to wherever their bits say.
    '::/96',
    '::ffff:0:0:0/96',
    '64:ff9b::/96',
    '64:ff9b:1::/48',
    '2002::/16',
    // Teredo among other protocols' own.
    '2001::/23',
    // Never given out.
    '::/3',
    '4000::/2',
    '8000::/1',
  ],
}

const lists = Object.entries(ranges).map(([name, subnets]) => [name as Range, subnets.map(known)] as const)

/** The addresses of each machine itself. */
export const loopback: readonly Subnet[] = ranges.loopback.map(known)

/** The special range of an IP address; `global` for all others, undefined for what is no IP address. */
export function specialRange(host: string): Range | 'global' | undefined {
  const bare = host.replace(/%.*$/, '')
  if (isIP(bare) === 0) return undefined
  return lists.find(([, subnets]) => subnets.some((subnet) => holds(subnet, bare)))?.[0] ?? 'global'
}

/** The subnets of the registries that hold an IP address; none for one of the Internet. */
export function specialSubnets(ip: string): Subnet[] {
  return lists.flatMap(([, subnets]) => subnets.filter((subnet) => holds(subnet, ip)))
}

function known(text: string): Subnet {
  return parseSubnet(text)!
}
