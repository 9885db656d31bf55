/**
 * A socket that connects through a bridge by itself, for clients that want one at once and connect it in their own way:
 * pg, mysql2, mqtt, ioredis, createConnection of node:http.
 *
 *     made ── connecting ── 'connect' ── as any socket ── 'close'
 *       what is written meanwhile waits;  a bridge that cannot be reached is its 'error'
 */
import { Duplex } from 'node:stream'
import type { BridgeConnection, SocketMethods } from './socket-like.ts'
import { timeoutMethod } from './socket-like.ts'

type Done = (error?: Error | null) => void

/** Made by Bridge.socket(). Like a net.Socket of clients it ends its own side when the far side has ended. */
export class BridgeSocket extends Duplex implements SocketMethods {
  /** True until 'connect'. */
  connecting = true
  readonly #giveUp = new AbortController()
  #conn: BridgeConnection | undefined
  #reading = false
  #counts = true
  /** The work that waits for the connection. */
  #waiting: ((conn: Duplex) => void) | undefined
  #held: Done | undefined
  #setTimeout: ReturnType<typeof timeoutMethod<this>> | undefined

  /** `dial` is Bridge.connect(). */
  constructor(dial: (signal: AbortSignal) => Promise<BridgeConnection>) {
    super({ allowHalfOpen: false })
    dial(this.#giveUp.signal).then(
      (conn) => this.#connected(conn),
      (error: unknown) => void this.destroy(error as Error),
    )
  }

  /** True until there is a connection, as for a net.Socket. */
  get pending(): boolean {
    return this.connecting
  }

  /** The state of both directions, as for a net.Socket. */
  get readyState(): 'opening' | 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    if (this.connecting) return 'opening'
    if (this.readable && this.writable) return 'open'
    if (this.readable) return 'readOnly'
    return this.writable ? 'writeOnly' : 'closed'
  }

  /** It connects by itself, and to the bridge: a port and a host do not count. A function is told of the connection. */
  connect(...args: unknown[]): this {
    const callback = args.findLast((arg): arg is () => void => typeof arg === 'function')
    if (callback === undefined) return this
    if (this.connecting) this.once('connect', callback)
    else queueMicrotask(callback)
    return this
  }

  setTimeout(ms: number, callback?: () => void): this {
    this.#setTimeout ??= timeoutMethod(this)
    return this.#setTimeout(ms, callback)
  }

  setNoDelay(_on?: boolean): this {
    return this
  }

  setKeepAlive(_on?: boolean, _initialDelay?: number): this {
    return this
  }

  ref(): this {
    this.#counts = true
    this.#conn?.ref()
    return this
  }

  unref(): this {
    this.#counts = false
    this.#conn?.unref()
    return this
  }

  /** Ends the own side, and closes the connection once everything has been sent. */
  destroySoon(): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => this.destroy())
  }

  #connected(conn: BridgeConnection): void {
    if (this.destroyed) return void conn.destroy()
    this.#conn = conn
    this.connecting = false
    conn.on('error', (error) => this.destroy(error))
    conn.on('end', () => this.push(null))
    conn.on('close', () => {
      if (!conn.readableEnded) this.destroy()
    })
    if (!this.#counts) conn.unref()
    if (this.#reading) this.#read(conn)
    this.#waiting?.(conn)
    this.#waiting = undefined
    this.emit('connect')
    this.emit('ready')
  }

  #read(conn: Duplex): void {
    if (conn.listenerCount('data') === 0) {
      conn.on('data', (chunk: Buffer) => {
        if (!this.push(chunk)) conn.pause()
      })
    }
    conn.resume()
  }

  /** Runs `act` with the connection, now or when there is one; its `done` is called whatever happens. */
  #with(done: Done, act: (conn: Duplex, done: Done) => void): void {
    const once: Done = (error) => {
      if (this.#held === undefined) return
      this.#held = undefined
      done(error)
    }
    this.#held = once
    if (this.#conn !== undefined) act(this.#conn, once)
    else this.#waiting = (conn) => act(conn, once)
  }

  override _read(): void {
    this.#reading = true
    if (this.#conn !== undefined) this.#read(this.#conn)
  }

  override _write(bytes: Uint8Array, _encoding: BufferEncoding, done: Done): void {
    this.#with(done, (conn, written) => void conn.write(bytes, written))
  }

  override _final(done: Done): void {
    this.#with(done, (conn, ended) => {
      // If it has closed already, the reading says so.
      if (conn.destroyed) ended()
      else conn.end(() => ended())
    })
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.connecting = false
    this.#giveUp.abort(error ?? undefined)
    this.#conn?.destroy()
    this.#held?.(error)
    done(error)
  }
}
