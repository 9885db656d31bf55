/**
 * A flow of datagrams with one peer, over a UDP socket that is connected to it or to a relay on the way.
 *
 *     socket ── unwrap ── queue (1024 datagrams, 1 MiB) ── for await      what does not fit is lost, as in a network
 *
 * A flow that is silent in both directions for ten minutes is ended, because no system says that its peer has gone.
 */
import type { Socket } from 'node:dgram'
import { PtError } from '../../error.ts'

/** What comes from the peer, one datagram after another; the iteration ends after close() and throws if the flow fails. */
export interface Datagrams extends AsyncIterable<Buffer> {
  /** Sends one datagram. Like the network, it may lose it without a word. */
  send(datagram: Uint8Array): void
  close(): void
}

/** What a relay adds to each datagram. */
export interface Envelope {
  wrap(datagram: Uint8Array): Uint8Array
  /** Undefined for a datagram that is not of the peer. */
  unwrap(message: Buffer): Buffer | undefined
}

/** The limits of a flow of datagrams. */
export interface DatagramLimits {
  /** The number of datagrams that may wait to be taken. Default 1,024. */
  readonly maxWaiting?: number | undefined
  /** The number of their bytes, and of those that the system has not taken yet. Default 1,048,576. */
  readonly maxBytes?: number | undefined
  /** Milliseconds after which a silent flow is ended. Default 600,000. */
  readonly idleTimeout?: number | undefined
}

interface Wanted {
  resolve(result: IteratorResult<Buffer, undefined>): void
  reject(error: Error): void
}

const over: IteratorReturnResult<undefined> = { done: true, value: undefined }

/** Datagrams between this process and one peer. */
export class DatagramFlow implements Datagrams, AsyncIterator<Buffer, undefined> {
  readonly #socket: Socket
  readonly #envelope: Envelope | undefined
  readonly #limits: Required<{ readonly [Name in keyof DatagramLimits]: number }>
  readonly #idle: NodeJS.Timeout
  readonly #waiting: Buffer[] = []
  readonly #wanted: Wanted[] = []
  #bytes = 0
  #open = true
  #error: Error | undefined
  #isClosed!: () => void
  /** Resolves when the flow has ended, for whatever reason. */
  readonly closed: Promise<void> = new Promise((resolve) => (this.#isClosed = resolve))

  /** Takes over a connected socket. */
  constructor(
    socket: Socket,
    { maxWaiting = 1_024, maxBytes = 1_048_576, idleTimeout = 600_000 }: DatagramLimits = {},
    envelope?: Envelope,
  ) {
    this.#socket = socket
    this.#envelope = envelope
    this.#limits = { maxWaiting, maxBytes, idleTimeout }
    const silent = new PtError('PT_TIMEOUT', `a flow of datagrams was silent for ${idleTimeout / 1_000} s`)
    this.#idle = setTimeout(() => this.fail(silent), idleTimeout).unref()
    socket.on('message', (message) => this.#arrived(message)).on('error', (error) => this.#broken(error))
  }

  send(datagram: Uint8Array): void {
    if (!this.#open || this.#socket.getSendQueueSize() > this.#limits.maxBytes) return
    this.#idle.refresh()
    // An error here means that this one was lost, or that an earlier one was answered by ICMP.
    this.#socket.send(this.#envelope?.wrap(datagram) ?? datagram, () => undefined)
  }

  close(): void {
    this.#end(undefined)
  }

  /** Ends the flow; the iteration throws `error` after what has come before. */
  fail(error: Error): void {
    this.#end(error)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<Buffer, undefined>> {
    const value = this.#waiting.shift()
    if (value !== undefined) {
      this.#bytes -= value.length
      return Promise.resolve({ done: false, value })
    }
    if (this.#error !== undefined) return Promise.reject(this.#error)
    if (!this.#open) return Promise.resolve(over)
    return new Promise((resolve, reject) => this.#wanted.push({ resolve, reject }))
  }

  return(): Promise<IteratorResult<Buffer, undefined>> {
    this.close()
    return Promise.resolve(over)
  }

  #arrived(message: Buffer): void {
    const value = this.#envelope === undefined ? message : this.#envelope.unwrap(message)
    if (value === undefined) return
    this.#idle.refresh()
    const wanted = this.#wanted.shift()
    if (wanted !== undefined) return wanted.resolve({ done: false, value })
    const { maxWaiting, maxBytes } = this.#limits
    if (this.#waiting.length >= maxWaiting || this.#bytes + value.length > maxBytes) return
    this.#waiting.push(value)
    this.#bytes += value.length
  }

  /** ICMP says that the peer's port is shut. It may open later, so that is one more datagram that was lost. */
  #broken(error: NodeJS.ErrnoException): void {
    if (error.code !== 'ECONNREFUSED') this.fail(error)
  }

  #end(error: Error | undefined): void {
    if (!this.#open) return
    this.#open = false
    this.#error = error
    clearTimeout(this.#idle)
    this.#socket.close()
    for (const wanted of this.#wanted.splice(0)) {
      if (error === undefined) wanted.resolve(over)
      else wanted.reject(error)
    }
    this.#isClosed()
  }
}
