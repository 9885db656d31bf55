/**
 * HTTP on connections that were accepted elsewhere: HTTP/1.1 as it is, or inside of TLS what the client chooses of HTTP/2 and
 * HTTP/1.1. node:http and node:http2 read the requests; what is no request is answered by the decoy.
 */
import type { IncomingMessage, Server as Http1Server, ServerResponse } from 'node:http'
import { createServer as createHttp1 } from 'node:http'
import type { Http2Server, Http2ServerRequest, Http2ServerResponse, ServerHttp2Session } from 'node:http2'
import { createServer as createHttp2 } from 'node:http2'
import type { Duplex } from 'node:stream'
import { readExactly } from '../../io/read.ts'
import type { Cancellation } from '../../io/wait/cancellation.ts'
import { orAborted } from '../../io/wait/deadline.ts'
import { acceptTls } from '../../tls/server-side.ts'
import type { CertificateFiles } from '../web/certificate-files.ts'
import type { Decoy } from '../web/decoy.ts'
import { answerPlain, HEAD_LIMIT } from '../web/requests.ts'
import { formatAnswer } from '../web/web-answer.ts'
import { Exchange } from './exchange.ts'
import type { ServerLimits } from './server-limits.ts'
import { HttpConnection } from './http-connection.ts'

/** The type of a TLS record that holds a handshake. */
const HANDSHAKE = 0x16

/** nginx says these. */
const http2Settings = { maxConcurrentStreams: 128, initialWindowSize: 65_536, maxFrameSize: 16_777_215 }

export interface HttpServiceOptions {
  readonly limits: ServerLimits
  readonly decoy: Decoy
  /** Without them there is no TLS. */
  readonly certificates: CertificateFiles | undefined
  /** Answers a request that came by `conn`. If it rejects, the exchange is dropped. */
  readonly respond: (exchange: Exchange, conn: Duplex) => Promise<void>
}

export class HttpService {
  readonly #options: HttpServiceOptions
  readonly #http1: Http1Server
  readonly #http2: Http2Server
  /** By the stream that node:http is given, or by node:http2's session. */
  readonly #connections = new WeakMap<object, HttpConnection>()
  readonly #conns = new Set<Duplex>()

  constructor(options: HttpServiceOptions) {
    this.#options = options
    this.#http1 = this.#openHttp1()
    this.#http2 = createHttp2({ settings: { ...http2Settings, maxHeaderListSize: HEAD_LIMIT } })
    // A session that breaks is closed by node:http2.
    this.#http2.on('sessionError', () => undefined)
    this.#http2.on('request', (request: Http2ServerRequest, response: Http2ServerResponse) => {
      this.#serve(request.stream.session, request, response)
    })
  }

  /** Resolves once the first request of `conn` is there. */
  async enter(conn: Duplex, signal: Cancellation): Promise<void> {
    const { certificates, limits } = this.#options
    const connection = new HttpConnection(conn, limits)
    this.#conns.add(conn)
    conn.once('close', () => this.#conns.delete(conn))
    if (certificates === undefined) this.#enterHttp1(conn, connection)
    else {
      const secure = await this.#secured(conn, certificates, signal)
      conn.once('close', () => secure.destroy())
      secure.once('close', () => conn.destroy())
      if (secure.alpnProtocol === 'h2') this.#enterHttp2(secure, connection)
      else this.#enterHttp1(secure, connection)
    }
    await orAborted(connection.arrived, signal)
  }

  /** Shakes hands with a client that speaks TLS, which its first byte tells. Any other is answered as nginx does it. */
  async #secured(
    conn: Duplex,
    certificates: CertificateFiles,
    signal: Cancellation,
  ): Promise<Awaited<ReturnType<typeof acceptTls>>> {
    const first = await readExactly(conn, 1, signal)
    conn.unshift(first)
    if (first[0] !== HANDSHAKE) return await answerPlain(conn, { decoy: this.#options.decoy, signal })
    return await acceptTls(conn, await certificates.current(), ['h2', 'http/1.1'], signal)
  }

  /** Ends all connections. */
  close(): void {
    for (const conn of this.#conns) conn.destroy()
  }

  #openHttp1(): Http1Server {
    // The times are those of an HttpConnection. A head without Host is answered as any other.
    const times = { headersTimeout: 0, requestTimeout: 0, keepAliveTimeout: 0 }
    const server = createHttp1({ ...times, maxHeaderSize: HEAD_LIMIT, requireHostHeader: false })
    const serve = (request: IncomingMessage, response: ServerResponse): void => {
      this.#serve(request.socket, request, response)
    }
    server.on('request', serve).on('checkExpectation', serve)
    server.on('clientError', ({ code }: NodeJS.ErrnoException, stream) => this.#refuse(stream, code))
    server.on('connect', (_request, stream) => this.#refuse(stream, 'HPE_INVALID_METHOD'))
    return server
  }

  #enterHttp1(stream: Duplex, connection: HttpConnection): void {
    this.#connections.set(stream, connection)
    this.#http1.emit('connection', stream)
    // Of a TLSSocket node:http reads below the stream, and fails with HPE_PAUSED if a request comes while an answer before it is still
    // on its way. It does not once somebody listens to the stream too.
    stream.on('data', ignore)
  }

  #enterHttp2(stream: Duplex, connection: HttpConnection): void {
    // node:http2 goes by this, which only the server of node:tls resets.
    Object.assign(stream, { secureConnecting: false })
    // It is emitted before emit() returns.
    this.#http2.once('session', (session: ServerHttp2Session) => this.#connections.set(session, connection))
    this.#http2.emit('connection', stream)
  }

  #serve(
    key: object | undefined,
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
  ): void {
    const connection = key === undefined ? undefined : this.#connections.get(key)
    if (connection === undefined) return void request.destroy()
    const exchange = new Exchange(request, response)
    connection.begin(exchange)
    this.#options.respond(exchange, connection.conn).catch(() => exchange.drop())
  }

  /** What came is no request. */
  #refuse(stream: Duplex, code: string | undefined): void {
    const connection = this.#connections.get(stream)
    if (connection === undefined || connection.isBusy || !stream.writable || code?.startsWith('HPE_') !== true) {
      return void stream.destroy()
    }
    const answer = this.#options.decoy.fault(code === 'HPE_HEADER_OVERFLOW' ? 'head too long' : 'malformed')
    stream.end(formatAnswer(answer, true))
    connection.refused()
  }
}

function ignore(): void {}
