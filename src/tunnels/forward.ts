/**
 * Where the server of a tunnel takes its connections: to one address, or, as a SOCKS server, to any address that the client asks for
 * and that the allow-list allows.
 */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { PtError } from '../error.ts'
import type { Cancellation } from '../io/wait/cancellation.ts'
import { withDeadline } from '../io/wait/deadline.ts'
import type { Address } from '../ipc/index.ts'
import { formatAddress, parseTarget } from '../ipc/index.ts'
import { acceptSocks } from '../socks/index.ts'
import { makeConnect } from '../upstream/index.ts'
import type { OwnNetworks } from '../addresses/own-networks.ts'
import type { AllowList } from './allow-list.ts'
import { leadsToThisMachine } from '../addresses/own-networks.ts'

/** The destination of a tunnel's connections. */
export type Forward =
  | { readonly type: 'address'; readonly target: Address | string }
  | { readonly type: 'socks'; readonly allow: AllowList }

/** For a connection to the destination, the look-up included, in ms. */
const CONNECT_TIMEOUT = 30_000

const connect = makeConnect({ connectTimeout: CONNECT_TIMEOUT })

/** Gives the addresses that are this machine's own at this moment; see watchOwnNetworks(). */
export type WatchOwn = () => Promise<OwnNetworks>

/** When the connection is of no use any more. The second form is the same signal, and costs nothing unless it is asked for. */
export interface Signals {
  readonly cancellation: Cancellation
  readonly signal: AbortSignal
}

/**
 * The connection to the destination of `conn`. Rejects with PT_CONNECT, PT_DENIED, as acceptSocks does, or with the reason of the
 * signal; a SOCKS client has been told by then.
 */
export async function openForward(conn: Duplex, forward: Forward, own: WatchOwn, signals: Signals): Promise<Duplex> {
  if (forward.type === 'address') return await connect(textOf(forward.target), signals.cancellation)
  const { signal } = signals
  const request = await acceptSocks(conn, { prefer: 'none', applications: true, signal })
  try {
    const far = await connectAllowed(request.target, forward.allow, await own(), signal)
    request.grant()
    return far
  } catch (error) {
    request.refuse(error)
    throw error
  }
}

function textOf(target: Address | string): string {
  return typeof target === 'string' ? target : formatAddress(target)
}

async function connectAllowed(
  target: string,
  allow: AllowList,
  own: OwnNetworks,
  signal: AbortSignal,
): Promise<Duplex> {
  const { host, port } = parseTarget(target)
  const named = isIP(host) === 0
  if (named && !allow.allowsName(host, port)) throw denied()
  const addresses = named ? await resolve(host, signal) : [host]
  const mayReach = async (ip: string): Promise<boolean> => {
    if (!allow.allowsAddress(ip, port, named, own)) return false
    return allow.namesAddress(ip, port) || !(await leadsToThisMachine(ip))
  }
  const verdicts = await Promise.all(addresses.map(mayReach))
  const allowed = addresses.filter((_, at) => verdicts[at])
  if (allowed.length === 0) throw denied()
  let last: unknown
  for (const ip of allowed) {
    try {
      return await connect(formatAddress({ host: ip, port }), signal)
    } catch (error) {
      signal.throwIfAborted()
      last = error
    }
  }
  throw last
}

async function resolve(name: string, parent: AbortSignal): Promise<string[]> {
  return await withDeadline(CONNECT_TIMEOUT, 'the look-up of a name', parent, async (signal) => {
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    })
    try {
      return (await Promise.race([lookup(name, { all: true }), aborted])).map(({ address }) => address)
    } catch (cause) {
      signal.throwIfAborted()
      throw new PtError('PT_CONNECT', 'a name that a client asked for cannot be resolved', { cause, stage: 'dns' })
    }
  })
}

function denied(): PtError {
  return new PtError('PT_DENIED', 'a client asked for a destination that the allow-list does not have', {
    stage: 'argument',
  })
}
