/**
 * Listening: the promise of a listener that really accepts (CM-1).
 */
import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'

/** Binds exactly `host`:`port` and resolves with where it listens; a failure is the system's error (EADDRINUSE, …). */
export async function listen(server: Server, host: string, port: number): Promise<{ host: string; port: number }> {
  server.listen({ host, port, exclusive: true })
  await once(server, 'listening')
  const bound = server.address() as AddressInfo
  return { host: bound.address, port: bound.port }
}
