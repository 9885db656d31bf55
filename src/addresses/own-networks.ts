/**
 * Which addresses are this machine's own. A SOCKS server for strangers leads none of them there: a connection from here to an
 * own address passes by every firewall in front of the machine, and the service that it leads to sees a neighbour.
 *
 *     addresses of the interfaces, the address that is listened on, --public-address      known before anything is sent
 *     what the system would send to itself                                                asked of its routes
 */
import { createSocket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { isIP, isIPv6 } from 'node:net'
import type { NetworkInterfaceInfo } from 'node:os'
import { networkInterfaces } from 'node:os'
import { isHostName, isLoopback, parseTarget } from '../ipc/index.ts'
import type { Subnet } from './subnets.ts'
import { isSameIp, parseSubnet } from './subnets.ts'

/** This machine and its networks, which rules have to name. */
export interface OwnNetworks {
  /** True for an address of this machine. */
  isOwn(ip: string): boolean
  /** The subnets of its interfaces. */
  readonly subnets: readonly Subnet[]
}

/** How long a list of interfaces is valid, in ms. */
const INTERFACES_FOR = 1_000
/** How long the look-up of a public name is valid, in ms. */
const NAMES_FOR = 60_000

const noRoute: ReadonlySet<string | undefined> = new Set([
  'ENETUNREACH',
  'EHOSTUNREACH',
  'EADDRNOTAVAIL',
  'EAFNOSUPPORT',
])

/** A port for asking the routes: nothing is sent to it. */
const DISCARD = 9

/**
 * Returns a function that says which addresses are this machine's now. `others` are addresses of it that no interface has, such as the one in
 * front of a NAT: IP addresses or host names, with or without a port.
 */
export function watchOwnNetworks(others: readonly string[]): () => Promise<OwnNetworks> {
  const hosts = others.map(hostOf)
  const interfaces = kept(INTERFACES_FOR, () => Promise.resolve(readInterfaces()))
  const behindNat = kept(NAMES_FOR, async (before: string[] = []) => {
    const found = await Promise.all(hosts.map(async (host) => (isIP(host) === 0 ? await resolve(host) : [host])))
    return found.some((addresses) => addresses === undefined) ? [...before, ...present(found)] : present(found)
  })
  return async () => {
    const [{ addresses, subnets }, elsewhere] = await Promise.all([interfaces(), behindNat()])
    return { subnets, isOwn: (ip) => [...addresses, ...elsewhere].some((own) => isSameIp(own, ip)) }
  }
}

/**
 * True if the system itself would take what is sent to this address: the source that it would use is the address, or loopback. This finds
 * what no list of interfaces has, such as whole local subnets and interfaces without a carrier. Nothing is sent.
 */
export function leadsToThisMachine(ip: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(ip) ? 'udp6' : 'udp4')
    const settle = (own: boolean): void => {
      socket.close()
      resolve(own)
    }
    // Without a route the connection itself fails, and says why. What cannot be known is not allowed.
    socket.once('error', ({ code }: NodeJS.ErrnoException) => settle(!noRoute.has(code)))
    socket.connect(DISCARD, ip, () => {
      const source = socket.address().address
      settle(isSameIp(source, ip) || isLoopback(source))
    })
  })
}

function readInterfaces(): { addresses: string[]; subnets: Subnet[] } {
  const all = listInterfaces()
  const subnets = all.flatMap(({ cidr }) => parseSubnet(cidr ?? '') ?? [])
  // A route to everything is no neighbourhood.
  return { addresses: all.map(({ address }) => address), subnets: subnets.filter(({ bits }) => bits > 0) }
}

/** A sandbox without AF_NETLINK has no list; what is this machine's own is then for its routes to say. */
function listInterfaces(): NetworkInterfaceInfo[] {
  try {
    return Object.values(networkInterfaces()).flatMap((one) => one ?? [])
  } catch {
    return []
  }
}

function hostOf(text: string): string {
  const bare = text.replace(/^\[(.*)\]$/, '$1')
  return isIP(bare) !== 0 || isHostName(bare) ? bare : parseTarget(text).host
}

async function resolve(name: string): Promise<string[] | undefined> {
  try {
    return (await lookup(name, { all: true })).map(({ address }) => address)
  } catch {
    return undefined
  }
}

function present(found: readonly (string[] | undefined)[]): string[] {
  return found.flatMap((addresses) => addresses ?? [])
}

/** The last result of `read` for `ms` milliseconds, and then a new one; `read` is given the one before. */
function kept<T>(ms: number, read: (before?: T) => Promise<T>): () => Promise<T> {
  let last: { readonly until: number; readonly value: Promise<T> } | undefined
  return () => {
    const now = performance.now()
    if (last === undefined || now > last.until) {
      const before = last?.value
      const value = (async () => await read(await before))()
      last = { until: now + ms, value }
    }
    return last.value
  }
}
