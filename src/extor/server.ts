/**
 * An Extended ORPort for applications (EXT-3): makes the cookie file, authenticates PTs, and hands over each connection
 * with the transport and the address of its client.
 */
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { createServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { PtError } from '../error.ts'
import { withDeadline } from '../io/wait/deadline.ts'
import { listen } from '../io/tcp/listen.ts'
import type { Guest } from '../io/tcp/lobby.ts'
import { Lobby } from '../io/tcp/lobby.ts'
import { listenerOptions } from '../io/tcp/tcp.ts'
import { throwLater } from '../io/wait/throw-later.ts'
import type { Address } from '../ipc/index.ts'
import { isLoopback } from '../ipc/index.ts'
import { formatCookie, removeCookieFile, writeCookieFile } from './cookie-file.ts'
import { HANDSHAKE_TIMEOUT } from './handshake-timeout.ts'
import { COOKIE_SIZE } from './safe-cookie.ts'
import type { Allow, ExtOrPortClient } from './session.ts'
import { acceptExtOrPort } from './session.ts'

/** A client's connection. It allows half-open; an error without a listener does not end the process. */
export interface ExtOrPortConnection extends ExtOrPortClient {
  readonly conn: Duplex
}

/** The options of serveExtOrPort. */
export interface ExtOrPortOptions {
  /** The address to listen on. Default 127.0.0.1. */
  readonly host?: string | undefined
  /** The port to listen on. Default 0, a port of the system's choice. */
  readonly port?: number | undefined
  /** The path of the file. It is written with mode 0600, replaces what is there, and is removed at the end. */
  readonly cookieFile: string
  /** The 32 bytes that the file shall hold. Default: random. */
  readonly cookie?: Uint8Array | undefined
  /**
   * Returns the cookie of one connection, if PTs hold different ones. It has to be known before the PT says anything, as the
   * server shows its hash first; so PTs can be told apart only by the address that the connection comes from.
   */
  readonly cookieFor?: ((peer: Address) => Uint8Array) | undefined
  /** The connection is the application's from here on, until close(). What this throws goes to `onError`, or is uncaught. */
  readonly onConnection: (connection: ExtOrPortConnection) => void
  /** Says whether a client is allowed: false, or a rejection, answers DENY. It runs within the handshake's time. */
  readonly allow?: Allow | undefined
  /** Told why a connection was cut off before it was handed over, or as it was. Our own messages hold no address and no secret. */
  readonly onError?: ((error: Error) => void) | undefined
  /** The time for a whole handshake, in milliseconds. Default 30,000, as for our own clients: either side may be busy for a while. */
  readonly handshakeTimeout?: number | undefined
  /**
   * How many connections may be there that have not shown the cookie. Beyond it the oldest of them is closed: any user of the
   * machine can open such connections, and must not keep the PT's out. Default 256.
   */
  readonly handshakeLimit?: number | undefined
  /** Allows `host` to be another than a loopback address. What PTs forward there is not encrypted by this protocol. */
  readonly exposed?: boolean | undefined
}

/** An Extended ORPort that listens. */
export interface ExtOrPortServer extends AsyncDisposable {
  readonly address: Address
  readonly cookieFile: string
  /** Stops listening, ends every connection, those handed over too, and removes the cookie file. */
  close(): Promise<void>
}

/** Starts an Extended ORPort. Rejects with PT_EXTOR (options, cookie file) or the system's error (EADDRINUSE, …). */
export async function serveExtOrPort(options: ExtOrPortOptions): Promise<ExtOrPortServer> {
  const { host = '127.0.0.1', port = 0, cookieFile, cookie = randomBytes(COOKIE_SIZE) } = options
  if (!isLoopback(host) && options.exposed !== true) {
    throw new PtError('PT_EXTOR', `${host} is no loopback address: an Extended ORPort there needs the option 'exposed'`)
  }
  formatCookie(cookie)
  const open = new Set<Socket>()
  const lobby = new Lobby({ limit: options.handshakeLimit ?? 256 })
  const server = createServer(listenerOptions, (conn) => {
    open.add(conn)
    conn.on('error', () => {}).once('close', () => open.delete(conn))
    void serve(conn, lobby.enter(conn, conn.remoteAddress), cookie, options)
  })
  const close = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve))
    for (const conn of open) conn.destroy()
    await closed
    await removeCookieFile(cookieFile, cookie)
  }
  // Listening comes first: a port that is taken must not cost another server its cookie file.
  const address = await listen(server, host, port)
  server.on('error', (error) => options.onError?.(error))
  try {
    await writeCookieFile(cookieFile, cookie)
  } catch (error) {
    await close()
    throw error
  }
  let closing: Promise<void> | undefined
  const closeOnce = (): Promise<void> => (closing ??= close())
  return { address, cookieFile, close: closeOnce, [Symbol.asyncDispose]: closeOnce }
}

async function serve(conn: Socket, guest: Guest, cookie: Uint8Array, options: ExtOrPortOptions): Promise<void> {
  const { handshakeTimeout = HANDSHAKE_TIMEOUT, allow = (): boolean => true } = options
  try {
    const peer = { host: conn.remoteAddress ?? '', port: conn.remotePort ?? 0 }
    const expected = options.cookieFor?.(peer) ?? cookie
    const client = await withDeadline(handshakeTimeout, 'the handshake of a PT', undefined, (signal) =>
      acceptExtOrPort(conn, expected, { allow, authenticated: () => guest.leave() }, signal),
    )
    handOver(options, { conn, ...client })
  } catch (error) {
    hangUp(conn)
    options.onError?.(error as Error)
  }
}

/** Hands a connection over. What the application throws goes to the application, as it is no fault of the PT. */
function handOver({ onConnection, onError = throwLater }: ExtOrPortOptions, connection: ExtOrPortConnection): void {
  try {
    onConnection(connection)
  } catch (error) {
    connection.conn.destroy()
    onError(error as Error)
  }
}

/** Ends a connection. A last answer (00, DENY) that was given to end() still goes out; what the PT sends is thrown away. */
function hangUp(conn: Socket): void {
  if (!conn.writableEnded || conn.writableFinished) return void conn.destroy()
  conn.once('finish', () => conn.destroy()).resume()
}
