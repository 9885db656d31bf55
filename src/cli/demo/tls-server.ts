/** The front of the demo: a server that speaks TLS with a certificate of its own, and gives each connection to the PT server. */
import { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { createServer } from 'node:tls'
import { listen } from '../../io/tcp/listen.ts'
import { relay } from '../../io/carry/relay.ts'
import type { Address } from '../../ipc/index.ts'
import { chainHash } from '../../tls/certificates/pin.ts'
import { selfSigned } from '../../tls/certificates/self-signed.ts'

export interface FrontServer extends AsyncDisposable {
  readonly address: Address
  /** The hash of its chain, as the argument `cert` has it. */
  readonly pin: string
}

export async function startWebServer(pt: Address): Promise<FrontServer> {
  const { cert, key } = selfSigned()
  const open = new Set<Socket>()
  const server = createServer({ cert, key, ALPNProtocols: ['http/1.1'] }, (conn) => {
    relay(conn, connect(pt)).catch(() => undefined)
  })
  server.on('connection', (conn: Socket) => open.add(conn.once('close', () => open.delete(conn))))
  server.on('tlsClientError', () => undefined)
  const address = await listen(server, '127.0.0.1', 0)
  return {
    address,
    pin: chainHash([new X509Certificate(cert).raw]).toString('base64'),
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const conn of open) conn.destroy()
      }),
  }
}
