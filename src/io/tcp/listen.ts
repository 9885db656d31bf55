/**
 * Listening: the promise is kept when the listener really accepts (CM-1).
 */
import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'

/**
 * The longest queue of connections that wait to be accepted. The kernel shortens it to its own limit
 * (/proc/sys/net/core/somaxconn, 4,096 by default), which programs in Go ask for as well. Node's own default is 511.
 */
const BACKLOG = 65_535

/** The options of listen. */
export interface ListenOptions {
  /** If true, an IPv6 wildcard takes no IPv4 connections. Default false. */
  readonly ipv6Only?: boolean
}

/** Binds exactly `host`:`port` and resolves with the address on which it listens. It rejects with the system's error (EADDRINUSE, …). */
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
