/**
 * The way out of a PT client for datagrams. Section "Client Environment Variables" (TOR_PT_PROXY); RFC 1928, section 7.
 *
 *     no TOR_PT_PROXY   PT ── UDP ── target
 *     socks5            PT ── UDP ── proxy's relay ── UDP ── target, as long as the TCP connection of UDP ASSOCIATE lives
 *     socks4a, http     refused: these proxies carry no datagrams, and there is no way around a proxy (CENV-3, ANON-3)
 *
 * With a proxy no name is looked up here (ANON-2).
 */
import type { Socket } from 'node:dgram'
import { createSocket } from 'node:dgram'
import { isIP, isIPv6 } from 'node:net'
import { PtError } from '../error.ts'
import type { Cancellation } from '../io/wait/cancellation.ts'
import { withDeadline } from '../io/wait/deadline.ts'
import type { TcpConn } from '../io/tcp/channel.ts'
import type { DatagramLimits } from '../io/udp/datagrams.ts'
import { DatagramFlow } from '../io/udp/datagrams.ts'
import type { Address, OutboundBind, ProxyUri } from '../ipc/index.ts'
import { formatProxyUri, isLoopback } from '../ipc/index.ts'
import { associateSocks, udpEnvelope } from '../socks/index.ts'
import { directError, proxyError, requireTarget } from './connect.ts'
import type { UpstreamOptions } from './connect.ts'
import { addressless, connectTcp, resolveName } from './direct.ts'

/** The options of a flow of datagrams. */
export interface DatagramOptions extends UpstreamOptions, DatagramLimits {
  /** The number of flows at once. Default 1,024. */
  readonly maxFlows?: number | undefined
}

/** Opens a flow of datagrams with `host:port`. */
export type UpstreamDatagrams = (target: string, signal: Cancellation) => Promise<DatagramFlow>

/**
 * The function that opens every flow of datagrams of a PT client. It rejects with the signal's reason, PT_ADDRESS (a malformed
 * target), PT_LIMIT (too many flows), PT_CONNECT, or PT_PROXY, also if the proxy is of a kind that carries no datagrams. No
 * message holds the target. A flow that has been opened ends with the signal too.
 */
export function makeDatagrams(options: DatagramOptions): UpstreamDatagrams {
  const { proxy, outboundBind = {}, connectTimeout = 30_000, maxFlows = 1_024 } = options
  if (proxy !== undefined) formatProxyUri(proxy)
  let flows = 0
  return async (text, signal) => {
    signal.throwIfAborted()
    const target = requireTarget(text)
    if (proxy !== undefined && proxy.protocol !== 'socks5') {
      throw new PtError('PT_PROXY', `the ${proxy.protocol} proxy of TOR_PT_PROXY carries no datagrams`, {
        stage: 'proxy',
      })
    }
    if (flows >= maxFlows) throw new PtError('PT_LIMIT', `${flows} flows of datagrams are open`)
    flows++
    try {
      const flow = await withDeadline(connectTimeout, 'opening a flow of datagrams', signal, (signal) =>
        proxy === undefined
          ? openDirect(target, outboundBind, signal, options)
          : openThrough(proxy, target, outboundBind, signal, options),
      )
      endWith(flow, signal)
      void flow.closed.then(() => flows--)
      return flow
    } catch (error) {
      flows--
      if (signal.aborted) throw signal.reason
      throw proxy === undefined ? directError(error) : proxyError(proxy, error)
    }
  }
}

function endWith(flow: DatagramFlow, signal: Cancellation): void {
  const abort = (): void => flow.fail(signal.reason as Error)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort)
  void flow.closed.then(() => signal.removeEventListener('abort', abort))
}

async function openDirect(
  { host, port }: Address,
  bind: OutboundBind,
  signal: AbortSignal,
  limits: DatagramLimits,
): Promise<DatagramFlow> {
  const [address] = isIP(host) === 0 ? await resolveName(host, signal) : [host]
  return new DatagramFlow(await openSocket({ host: address!, port }, bind), limits)
}

async function openThrough(
  { address, user, password }: ProxyUri,
  target: Address,
  bind: OutboundBind,
  signal: AbortSignal,
  limits: DatagramLimits,
): Promise<DatagramFlow> {
  if (target.host.includes('%')) {
    throw new PtError('PT_ADDRESS', 'a target with an IPv6 zone cannot be reached through a proxy')
  }
  const control = await connectTcp(address, bind, signal)
  try {
    const credentials = user === undefined ? undefined : { user, password }
    const relay = await associateSocks(control, { credentials }, signal)
    const flow = new DatagramFlow(await openSocket(relayOf(relay, control), bind), limits, udpEnvelope(target))
    tie(flow, control)
    return flow
  } catch (error) {
    control.destroy()
    throw error
  }
}

/** A proxy that listens on all of its addresses says that it is at none: then it is where the connection leads. */
function relayOf({ host, port }: Address, { remoteAddress }: TcpConn): Address {
  const unspecified = host === '0.0.0.0' || /^[0:]+$/.test(host)
  return { host: unspecified ? (remoteAddress ?? host) : host, port }
}

/** The association lives as long as its connection, and the other way round. */
function tie(flow: DatagramFlow, control: TcpConn): void {
  const ended = (): void =>
    flow.fail(new PtError('PT_PROXY', 'the proxy has ended the association', { stage: 'proxy' }))
  control.on('end', ended).on('close', ended).resume()
  void flow.closed.then(() => control.destroy())
}

/** A UDP socket that takes datagrams of `peer` alone. */
function openSocket(peer: Address, bind: OutboundBind): Promise<Socket> {
  const v6 = isIPv6(peer.host)
  const local = isLoopback(peer.host) ? undefined : v6 ? bind.v6 : bind.v4
  const socket = createSocket(v6 ? 'udp6' : 'udp4')
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => {
      socket.close()
      reject(addressless(error))
    }
    socket.once('error', failed)
    const connect = (): void =>
      socket.connect(peer.port, peer.host, () => {
        socket.off('error', failed)
        resolve(socket)
      })
    if (local === undefined) connect()
    else socket.bind({ address: local, port: 0 }, connect)
  })
}
