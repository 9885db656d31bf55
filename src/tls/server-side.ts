/**
 * The server's side of TLS, by node:tls with OpenSSL's own handshake: a server has to look like other servers, and most of
 * them use OpenSSL. What it agrees to is what nginx agrees to without HTTP/2.
 */
import type { Duplex } from 'node:stream'
import type { SecureContext } from 'node:tls'
import { createSecureContext, TLSSocket } from 'node:tls'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { PtError } from '../error.ts'
import type { Cancellation } from '../io/wait/cancellation.ts'
import { orAborted } from '../io/wait/deadline.ts'

/** A certificate with its key, ready for handshakes. */
export type ServerContext = SecureContext

/**
 * Reads a chain and a key, both in PEM. What `fail` makes is thrown if they cannot be used; it is given the part that is wrong, and
 * why, in words that begin with "it".
 */
export function serverContext(
  cert: Buffer,
  key: Buffer,
  fail: (part: 'cert' | 'key', why: string) => Error,
): ServerContext {
  const certificate = attempt(
    () => new X509Certificate(cert),
    () => fail('cert', 'it holds no certificate in PEM'),
  )
  const secret = attempt(
    () => createPrivateKey(key),
    () => fail('key', 'it holds no key in PEM that can be used without a password'),
  )
  if (!certificate.checkPrivateKey(secret)) throw fail('key', 'it is not the key of the first certificate')
  return attempt(
    () => createSecureContext({ cert, key, minVersion: 'TLSv1.2', sessionIdContext: 'postern' }),
    () => fail('cert', 'its chain cannot be used'),
  )
}

function attempt<T>(act: () => T, failure: () => Error): T {
  try {
    return act()
  } catch {
    throw failure()
  }
}

/**
 * Shakes hands with a client on `conn`. A client that offers protocols, and none of `alpn` among them, gets the alert
 * no_application_protocol. Rejects with PT_TLS or PT_CLOSED, both of which say nothing of the client, or with the signal's reason; then
 * the connection is destroyed.
 */
export async function acceptTls(
  conn: Duplex,
  context: ServerContext,
  alpn: readonly string[],
  signal: Cancellation,
): Promise<TLSSocket> {
  const socket = new TLSSocket(conn, {
    isServer: true,
    secureContext: context,
    ALPNProtocols: [...alpn],
  })
  try {
    await orAborted(shaken(socket, conn), signal)
    return socket.on('error', () => undefined)
  } catch (error) {
    socket.destroy()
    conn.destroy()
    throw error
  }
}

function shaken(socket: TLSSocket, conn: Duplex): Promise<void> {
  return new Promise((resolve, reject) => {
    const closed = (cause?: Error): void =>
      reject(new PtError('PT_CLOSED', 'a client closed the connection in the TLS handshake', { cause }))
    // The TLSSocket of a server stays open if its client ends before the handshake is over. Which of the two tells depends on `conn`.
    const both = [socket, conn]
    const ended = (): void => closed()
    for (const one of both) one.once('end', ended).once('close', ended)
    socket.once('secure', () => {
      for (const one of both) one.off('end', ended).off('close', ended)
      resolve()
    })
    socket.on('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ECONNRESET' || cause.code === 'EPIPE') closed(cause)
      else reject(new PtError('PT_TLS', 'a client did not finish the TLS handshake', { cause }))
    })
  })
}
