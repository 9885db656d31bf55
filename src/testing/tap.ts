/**
 * A connection as a test wants it: real socket below, and between it and the transport a tap that splits, gathers, stalls,
 * cuts and counts.
 *
 *     transport ⇄ Tap ⇄ socket ⇄ … loopback … ⇄ socket ⇄ Tap ⇄ transport
 */
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { leftIn } from '../io/tcp/close.ts'

/** How bytes from the socket reach the transport. */
export type Delivery =
  | 'whole' // as they come
  | 'gathered' // what arrives within GATHER_MS as one chunk: a handshake and what was sent right after it
  | ((left: number) => number) // in pieces of the size that the function gives, one a turn

export interface TapOptions {
  readonly delivery?: Delivery
  /** After so many bytes the peer vanishes, with FIN or RST. */
  readonly cut?: { readonly after: number; readonly by: 'end' | 'reset' }
  /** An exception in a listener of the transport, or an error that it does not listen to. */
  readonly onCrash: (error: unknown) => void
}

const GATHER_MS = 20

export class Tap extends Duplex {
  /** Bytes that the transport was given. */
  received = 0
  readonly #socket: Socket
  readonly #options: TapOptions
  #stalled: (() => void)[] | undefined
  #demanded: (() => void) | undefined
  #vanished = false

  constructor(socket: Socket, options: TapOptions) {
    super({ allowHalfOpen: true })
    this.#socket = socket
    this.#options = options
    socket
      .on('error', (error) => this.destroy(error))
      .on('close', () => {
        if (!socket.readableEnded) this.destroy()
      })
    // Its only rejection is the close of the socket before its end, which the listeners above see too.
    void this.#deliver().catch(() => this.destroy())
  }

  /** The peer's, as of a TCP connection: a server behind a front asks which one it is. */
  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress
  }

  get remotePort(): number | undefined {
    return this.#socket.remotePort
  }

  /** From here on nothing that is written goes out, until release(). */
  stall(): void {
    this.#stalled ??= []
  }

  release(): void {
    const held = this.#stalled ?? []
    this.#stalled = undefined
    for (const proceed of held) proceed()
  }

  /** The peer at the other end is told by RST. */
  reset(): void {
    this.#socket.resetAndDestroy()
  }

  /** Listeners belong to the transport; what they throw would end the process of a PT. */
  override emit(event: string | symbol, ...args: unknown[]): boolean {
    try {
      return super.emit(event as string, ...args)
    } catch (error) {
      this.#options.onCrash(error)
      this.destroy()
      return true
    }
  }

  /** The peer has gone, as far as the transport can see. */
  vanish(by: 'end' | 'reset'): void {
    if (this.#vanished) return
    this.#vanished = true
    if (by === 'end') this.push(null)
    else this.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
  }

  async #deliver(): Promise<void> {
    const { delivery = 'whole', cut } = this.#options
    let left = cut?.after ?? Infinity
    if (left > 0) {
      for await (const chunk of this.#chunks(delivery)) {
        if (this.#vanished) return
        const piece = chunk.subarray(0, left)
        left -= piece.length
        this.received += piece.length
        if (!this.push(piece)) await new Promise<void>((resolve) => (this.#demanded = resolve))
        if (left === 0) break
      }
    }
    // As from a network, and not before the transport has the connection.
    await turn()
    this.vanish(cut?.by ?? 'end')
  }

  async *#chunks(delivery: Delivery): AsyncGenerator<Buffer> {
    for await (const chunk of this.#socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      if (delivery === 'whole') yield chunk
      else if (delivery === 'gathered') {
        await pause(GATHER_MS)
        yield Buffer.concat([chunk, ...leftIn(this.#socket)])
      } else {
        for (let at = 0; at < chunk.length;) {
          const end = Math.min(chunk.length, at + Math.max(1, delivery(chunk.length - at)))
          yield chunk.subarray(at, end)
          at = end
          await turn()
        }
      }
    }
  }

  override _read(): void {
    this.#demanded?.()
    this.#demanded = undefined
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const proceed = (): void => void this.#socket.write(chunk, done)
    if (this.#stalled === undefined) proceed()
    else this.#stalled.push(proceed)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(() => done())
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy()
    done(error)
  }
}
