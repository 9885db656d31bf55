/** The profile 'node': node:tls with its own hello, and with our way to verify. It speaks TLS 1.2 too. */
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls'
import { connect as tlsConnect } from 'node:tls'
import { PtError } from '../error.ts'
import { orAborted } from '../io/wait/deadline.ts'
import { verifyCertificates } from './certificates/verify.ts'
import type { Attempt, ConnectTlsOptions } from './connect.ts'
import type { TlsConnection } from './tls-connection.ts'

/** It keeps no tickets. */
export async function connectNode(conn: Duplex, options: ConnectTlsOptions, attempt: Attempt): Promise<TlsConnection> {
  const { servername, alpn } = options
  const socket = tlsConnect({
    socket: conn,
    // The certificates are verified below, in the same way as with every profile.
    rejectUnauthorized: false,
    // With roots of its own it would add one to the chain that the server sent.
    ca: [],
    ...(isIP(servername) > 0 ? {} : { servername }),
    ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
  })
  try {
    await orAborted(connected(socket), attempt.signal)
    const leaf = await verifyCertificates(chainOf(socket), attempt.verification)
    socket.on('error', () => undefined)
    return Object.assign(socket, {
      alpn: socket.alpnProtocol === false ? undefined : (socket.alpnProtocol ?? undefined),
      resumed: socket.isSessionReused(),
      peerCertificate: leaf.x509,
    })
  } catch (error) {
    socket.destroy()
    throw error
  }
}

function connected(socket: TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('secureConnect', resolve)
    socket.once('error', (cause: NodeJS.ErrnoException) => {
      const closed = cause.code === 'ECONNRESET' || cause.code === 'EPIPE'
      const message = closed ? 'the connection was closed' : 'the TLS handshake failed'
      reject(new PtError(closed ? 'PT_CLOSED' : 'PT_TLS', message, { stage: closed ? 'closed' : 'tls', cause }))
    })
  })
}

/** The certificates in the order in which each is issued by the next, which is that of the wire with a server that is set up well. */
function chainOf(socket: TLSSocket): Buffer[] {
  const ders: Buffer[] = []
  let one: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true)
  while (one?.raw !== undefined && !ders.some((der) => der.equals(one!.raw))) {
    ders.push(one.raw)
    one = one.issuerCertificate
  }
  return ders
}
