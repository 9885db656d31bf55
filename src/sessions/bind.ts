/**
 * Binds the address that was asked for (SM-2). `0.0.0.0` means every address of the machine, as it does to programs in Go: one
 * socket takes IPv4 and IPv6, and the addresses of IPv4 clients stay plain IPv4 in all texts.
 *
 *     0.0.0.0:443                    [::]:443, both families           without IPv6: 0.0.0.0:443
 *     0.0.0.0:443 and [::]:443       each its own family
 */
import type { Server } from 'node:net'
import { listen } from '../io/tcp/listen.ts'
import type { Address } from '../ipc/index.ts'

const EVERY_IPV4 = '0.0.0.0'
const EVERY = '::'

/** What the system says if there is no IPv6, or if another program has the port there. */
const noIpv6: ReadonlySet<unknown> = new Set([
  'EAFNOSUPPORT',
  'EPROTONOSUPPORT',
  'EADDRNOTAVAIL',
  'EINVAL',
  'EADDRINUSE',
])

/** That page describes the two ways that work under tor's service, and says why capabilities of the program do not. */
const LOW_PORT = 'ports below 1024 need a privilege, see "Under Debian\'s tor" in docs/operating.md'

/**
 * Listens, and resolves with the address as it was asked for and the port that it got. `others` are the other addresses that this
 * process listens on. The error names only the port: the caller knows the address.
 */
export async function bind(listener: Server, address: Address, others: readonly Address[] = []): Promise<Address> {
  try {
    return { host: address.host, port: await bindFamilies(listener, address, others) }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const reason = code ?? message
    const what = `cannot listen on port ${address.port} of the bind address: ${reason}`
    throw new Error(code === 'EACCES' && address.port < 1024 ? `${what}; ${LOW_PORT}` : what, { cause: error })
  }
}

async function bindFamilies(listener: Server, { host, port }: Address, others: readonly Address[]): Promise<number> {
  const beside = (other: string): boolean => port !== 0 && others.some((one) => one.host === other && one.port === port)
  if (host === EVERY_IPV4 && !beside(EVERY)) {
    try {
      return (await listen(listener, EVERY, port)).port
    } catch (error) {
      if (!noIpv6.has((error as NodeJS.ErrnoException).code)) throw error
    }
  }
  return (await listen(listener, host, port, { ipv6Only: host === EVERY && beside(EVERY_IPV4) })).port
}
