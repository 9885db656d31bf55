/**
 * Listening: the promise of a listener that really accepts (CM-1).
 */
import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'

/**
 * The longest queue of connections that wait to be accepted. The kernel cuts it to its own limit
 * (/proc/sys/net/core/somaxconn, 4,096 by default), which is what programs in Go ask for. Node's own default is 511.
 */
const BACKLOG = 65_535

export interface ListenOptions {
  /** An IPv6 wildcard takes no IPv4 connections. Default false. */
  readonly ipv6Only?: boolean
}

/** Binds exactly `host`:`port` and resolves with where it listens; a failure is the system's error (EADDRINUSE, …). */
export async function listen(
  server: Server,
  host: string,
  port: number,
  { ipv6Only = false }: ListenOptions = {},
): Promise<{ host: string; port: number }> {
  server.listen({ host, port, ipv6Only, backlog: BACKLOG, exclusive: true })
  await once(server, 'listening')
  const bound = server.address() as AddressInfo
  return { host: bound.address, port: bound.port }
}
