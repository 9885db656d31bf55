/**
 * The only way out of a PT client. Sections "Client Environment Variables" (TOR_PT_PROXY) and "Anonymity Considerations".
 *
 *     no TOR_PT_PROXY   PT ── TCP ── target
 *     socks5, socks4a   PT ── TCP ── proxy ── SOCKS CONNECT ── target
 *     http              PT ── TCP ── proxy ── HTTP CONNECT ── target
 *
 * Which of them it is, is settled once; a proxy that fails is an error and never a reason to go directly (CENV-3,
 * ANON-3). With a proxy no name is looked up here (ANON-2).
 */
import { isIP, isIPv6 } from 'node:net'
import type { Duplex } from 'node:stream'
import { isPtError, PtError } from '../error.ts'
import { stageOf } from '../failure.ts'
import type { Address, OutboundBind, ProxyUri } from '../ipc/index.ts'
import { formatAddress, formatProxyUri, parseTarget } from '../ipc/index.ts'
import { checkOptions } from '../options.ts'
import type { Cancellation } from '../io/wait/cancellation.ts'
import { withDeadline } from '../io/wait/deadline.ts'
import { boundReads, readFreely } from '../io/tcp/handshake-reader.ts'
import { connectSocks } from '../socks/index.ts'
import { addressless, connectIp, connectTcp } from './direct.ts'
import { connectHttp } from './http-connect.ts'
import { upstreamChecks } from './option-checks.ts'

/** The options of makeConnect. */
export interface UpstreamOptions {
  /** The upstream proxy; without one, connections are direct. */
  readonly proxy?: ProxyUri | undefined
  /** The source addresses of connections, to the proxy too; not used towards loopback. */
  readonly outboundBind?: OutboundBind | undefined
  /** How long a connection may take from look-up to the proxy's consent, in ms. */
  readonly connectTimeout?: number | undefined
}

/** How many bytes of a proxy's answer are read at a time if its length is not known, as for HTTP. obfs4proxy reads as many. */
const MOST_PER_READ = 4_096

/** The function that transports get as `connect`; src/transport.ts has the contract. */
export type UpstreamConnect = (target: string, signal: Cancellation) => Promise<Duplex>

/**
 * The function that opens every connection of a PT client. Throws PT_OPTION, or PT_PROXY_URI for a proxy that no URI could name.
 *
 * Its sockets have `allowHalfOpen` and no Nagle delay, and none of their errors ends the process for want of a listener. It
 * rejects with the signal's reason, PT_ADDRESS (a malformed target), PT_CONNECT (stage `dns` or `connect`) or PT_PROXY
 * (stage `proxy`); the cause has the system's `code`, the proxy's `reply`, or is PT_TIMEOUT. No message and no cause holds
 * the target, a user name or a password.
 */
export function makeConnect(options: UpstreamOptions): UpstreamConnect {
  checkOptions('makeConnect', options, upstreamChecks)
  const { proxy, outboundBind = {}, connectTimeout = 30_000 } = options
  if (proxy !== undefined) formatProxyUri(proxy)
  return async (text, signal) => {
    signal.throwIfAborted()
    const target = requireTarget(text)
    try {
      if (proxy === undefined && isIP(target.host) !== 0) {
        return await connectIp(target, outboundBind, signal, connectTimeout)
      }
      return await withDeadline(connectTimeout, 'the connection', signal, (signal) =>
        proxy === undefined
          ? connectTcp(target, outboundBind, signal)
          : connectThrough(proxy, target, outboundBind, signal),
      )
    } catch (error) {
      if (signal.aborted) throw signal.reason
      throw proxy === undefined ? directError(error) : proxyError(proxy, error)
    }
  }
}

async function connectThrough(
  proxy: ProxyUri,
  target: Address,
  bind: OutboundBind,
  signal: AbortSignal,
): Promise<Duplex> {
  requireCarriable(proxy, target)
  const conn = await connectTcp(proxy.address, bind, signal)
  // What the bridge sends after the proxy's answer is left to the transport, whose handshake bounds its reads as well.
  boundReads(conn, MOST_PER_READ)
  try {
    const { user, password } = proxy
    const credentials = user === undefined ? undefined : { user, password }
    const version = proxy.protocol === 'socks5' ? 5 : 4
    const text = formatAddress(target)
    if (proxy.protocol === 'http') await connectHttp(conn, text, credentials, signal)
    else await connectSocks(conn, { version, target: text, credentials }, signal)
    readFreely(conn)
    return conn
  } catch (error) {
    conn.destroy()
    throw error
  }
}

/** Throws, before the proxy is asked, if its protocol has no room for the target. */
function requireCarriable(proxy: ProxyUri, { host }: Address): void {
  if (host.includes('%'))
    throw new PtError('PT_ADDRESS', 'a target with an IPv6 zone cannot be reached through a proxy')
  if (proxy.protocol !== 'socks4a' || !isIPv6(host)) return
  throw new PtError('PT_ADDRESS', 'SOCKS 4a cannot carry an IPv6 target; a socks5 or http proxy can')
}

export function requireTarget(text: string): Address {
  try {
    return parseTarget(text)
  } catch {
    throw new PtError('PT_ADDRESS', 'the target of a connection is not <address>:<port>', { stage: 'argument' })
  }
}

/** What failed, for each stage. */
const failed = {
  dns: 'the name of the target cannot be resolved',
  connect: 'the target cannot be reached',
  local: 'no connection can be made from this machine',
}

export function directError(error: unknown): PtError {
  const { syscall } = error as NodeJS.ErrnoException
  const stage = isLocal(error) ? 'local' : syscall === 'getaddrinfo' ? 'dns' : 'connect'
  return new PtError('PT_CONNECT', `${failed[stage]}: ${reasonOf(error)}`, { cause: error, stage })
}

/** True if this machine is to blame; if several addresses were tried, for each of them. */
function isLocal(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.every((one) => isLocal(one))
  return stageOf(error) === 'local'
}

export function proxyError({ protocol }: ProxyUri, error: unknown): PtError {
  const cause = addressless(error)
  const message = `the ${protocol} proxy of TOR_PT_PROXY failed: ${reasonOf(cause)}`
  return new PtError('PT_PROXY', message, { cause, stage: isLocal(cause) ? 'local' : 'proxy' })
}

/** Says why, in words without an address: our own words, or the system's code. */
function reasonOf(error: unknown): string {
  const { code, syscall } = error as NodeJS.ErrnoException
  if (isPtError(error)) return error.message
  if (syscall === 'bind') return `${code}; the outbound bind address is not one that this host can use`
  return code ?? 'unknown error'
}
