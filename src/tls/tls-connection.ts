/** What connectTls gives, with every profile. */
import type { X509Certificate } from 'node:crypto'
import type { Duplex } from 'node:stream'

/**
 * The protected stream. Its end() says to the server by close_notify that no more comes; an end of the server without one is an
 * error, PT_CLOSED, after all that came before it, unless `mayEndAbruptly` was set.
 */
export interface TlsConnection extends Duplex {
  /** The protocol of the application that the server chose by ALPN; undefined if it chose none. */
  readonly alpn: string | undefined
  /** True if the connection goes on from an earlier one, by a ticket. */
  readonly resumed: boolean
  /** The server's own certificate; if the connection is resumed, that of the earlier one. */
  readonly peerCertificate: X509Certificate | undefined
}
