/**
 * Where a browser is pointed to: one port of 127.0.0.1 that takes TLS and plain HTTP, told apart by the first byte. Each ClientHello
 * is read before node:tls answers it, with a certificate of its own that no browser trusts.
 *
 *     16 …     a record of TLS: its hello is captured, and node:https goes on
 *     other    node:http, with the page
 */
import { createHash } from 'node:crypto'
import type { IncomingMessage, RequestListener, Server } from 'node:http'
import { createServer as createHttp } from 'node:http'
import { createServer as createHttps } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { createServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { once } from 'node:events'
import type { CapturedHello } from '../../tls/hellos/client-hello.ts'
import { firstMessage, readClientHello } from '../../tls/hellos/client-hello.ts'
import type { Form } from './page.ts'
import { pageFor, TICKET_SECONDS } from './page.ts'
import { selfSigned } from '../../tls/certificates/self-signed.ts'

const MOST_CONNECTIONS = 64
/** How long a connection may take for its hello, and may be idle afterwards; in ms. */
const PATIENCE = 10_000
const HANDSHAKE = 0x16
const WEBSOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
/** A frame that closes the WebSocket, without a reason (RFC 6455, section 5.5.1). */
const CLOSE_FRAME = Buffer.of(0x88, 0)

export interface ListenerOptions {
  readonly form: Form
  /** 0 for a free one. */
  readonly port: number
  onHello(hello: CapturedHello): void
  /** What the browser says of itself. */
  onUserAgent(userAgent: string): void
  /** What the page asks for after each connection. */
  status(): { readonly seen: number; readonly needed: number; readonly done: boolean }
}

export interface Listener extends AsyncDisposable {
  readonly port: number
}

/** Listens until it is disposed of. */
export async function listenForHellos(options: ListenerOptions): Promise<Listener> {
  const handler = answers(options)
  const plain = createHttp(handler).on('upgrade', acceptWebSocket)
  const secure = createHttps(
    { ...selfSigned(), ALPNProtocols: ['http/1.1'], sessionTimeout: TICKET_SECONDS },
    handler,
  ).on('upgrade', acceptWebSocket)
  const conns = new Set<Socket>()
  const server = createServer({ noDelay: true, pauseOnConnect: true }, (conn) => {
    conns.add(conn)
    conn.once('close', () => conns.delete(conn)).on('error', () => conn.destroy())
    conn.setTimeout(PATIENCE, () => conn.destroy())
    if (conns.size > MOST_CONNECTIONS) conn.destroy()
    else sortOut(conn, { plain, secure, options })
  })
  server.listen({ host: '127.0.0.1', port: options.port })
  await once(server, 'listening')
  const close = async (): Promise<void> => {
    const closed = once(server, 'close')
    server.close()
    for (const conn of conns) conn.destroy()
    await closed
  }
  return { port: (server.address() as AddressInfo).port, [Symbol.asyncDispose]: close }
}

interface Sorting {
  readonly plain: Server
  readonly secure: Server
  readonly options: ListenerOptions
}

/** Gives a connection to the server that its first bytes are for. */
function sortOut(conn: Socket, { plain, secure, options }: Sorting): void {
  let held: Buffer = Buffer.alloc(0)
  const handTo = (server: Server): void => {
    conn.off('data', hear).pause()
    conn.unshift(held)
    server.emit('connection', conn)
    // node:tls reads what is held by itself; node:http waits for it to flow.
    if (server === plain) conn.resume()
  }
  const hear = (chunk: Buffer): void => {
    held = Buffer.concat([held, chunk])
    if (held[0] !== HANDSHAKE) return handTo(plain)
    try {
      const found = firstMessage(held)
      if (found === undefined) return
      options.onHello(readClientHello(found.message))
      handTo(secure)
    } catch {
      // Whatever it is, it is no hello of a browser.
      conn.destroy()
    }
  }
  conn.on('data', hear).resume()
}

function answers(options: ListenerOptions): RequestListener {
  const page = pageFor(options.form)
  return (request, response) => {
    options.onUserAgent(request.headers['user-agent'] ?? '')
    // With the connection closed, the next request needs another hello.
    response.setHeader('Connection', 'close').setHeader('Cache-Control', 'no-store')
    if (request.url === '/') response.setHeader('Content-Type', 'text/html; charset=utf-8').end(page)
    else if (request.url === '/status')
      response.setHeader('Content-Type', 'application/json').end(JSON.stringify(options.status()))
    else response.writeHead(204).end()
  }
}

/** Accepts a WebSocket and closes it at once. */
function acceptWebSocket({ headers }: IncomingMessage, conn: Duplex): void {
  const key = headers['sec-websocket-key'] ?? ''
  const accept = createHash('sha1')
    .update(key + WEBSOCKET_GUID)
    .digest('base64')
  const head = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket']
  conn.on('error', () => conn.destroy())
  conn.write([...head, `Sec-WebSocket-Accept: ${accept}`, '', ''].join('\r\n'))
  conn.end(CLOSE_FRAME)
}
