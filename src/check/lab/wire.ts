/**
 * Raw connections: bytes as they come, the end of a stream as a fact and not as an error, and listeners that remember.
 */
import type { Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { delay, listen } from '../../io/index.ts'
import type { Address } from '../../ipc/index.ts'

/** A connection whose bytes are kept until they are taken. */
export class Wire {
  readonly socket: Socket
  ended = false
  #held: Buffer = Buffer.alloc(0)
  readonly #waiting = new Set<() => void>()
  readonly #keep: (chunk: Buffer) => void

  constructor(socket: Socket) {
    this.socket = socket
    const over = (): void => {
      this.ended = true
      this.#wake()
    }
    socket.on('error', () => undefined)
    this.#keep = (chunk) => {
      this.#held = Buffer.concat([this.#held, chunk])
      this.#wake()
    }
    socket.on('data', this.#keep)
    socket.once('end', over).once('close', over)
  }

  write(bytes: string | Uint8Array): void {
    this.socket.write(bytes)
  }

  /** Writes one byte at a time, in packets of their own. */
  async trickle(bytes: Uint8Array): Promise<void> {
    for (const byte of bytes) {
      this.socket.write(Uint8Array.of(byte))
      await delay(2)
    }
  }

  /** `length` bytes, or what there is of them where the stream ends or the time is over. */
  async take(length: number, ms: number): Promise<Buffer> {
    await this.#wait(ms, () => this.#held.length >= length)
    const bytes = this.#held.subarray(0, length)
    this.#held = this.#held.subarray(bytes.length)
    return bytes
  }

  /** All that comes within `ms`, or until the end. */
  async rest(ms: number): Promise<Buffer> {
    return await this.take(Number.MAX_SAFE_INTEGER, ms)
  }

  /** True where the other side ends or breaks the connection within `ms`. */
  async ends(ms: number): Promise<boolean> {
    await this.#wait(ms, () => this.ended)
    return this.ended
  }

  /** From here on everything goes to `other`, ends included: what came already first. */
  passTo(other: Wire): void {
    const { socket } = this
    socket.off('data', this.#keep)
    other.write(this.#held)
    this.#held = Buffer.alloc(0)
    if (socket.readableEnded) other.socket.end()
    else socket.pipe(other.socket)
    const cut = (): void => void (socket.readableEnded ? undefined : other.socket.destroy())
    if (socket.closed) cut()
    else socket.once('close', cut)
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
  }

  async #wait(ms: number, holds: () => boolean): Promise<void> {
    if (holds() || this.ended) return
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(check)
        resolve()
      }
      const check = (): void => {
        if (holds() || this.ended) finish()
      }
      const timer = setTimeout(finish, ms)
      this.#waiting.add(check)
    })
  }
}

/** A connection, or undefined where nobody accepts. */
export async function dialWire(address: Address, localAddress?: string): Promise<Wire | undefined> {
  const socket = connect({ ...address, allowHalfOpen: true, noDelay: true, ...(localAddress && { localAddress }) })
  return await new Promise((resolve) => {
    socket.once('connect', () => resolve(new Wire(socket)))
    socket.once('error', () => resolve(undefined))
  })
}

/** A listener that keeps every connection it got. */
export class Listener {
  readonly address: Address
  readonly wires: Wire[]
  readonly #server: Server
  readonly #waiting: Set<() => void>

  private constructor(server: Server, address: Address, wires: Wire[], waiting: Set<() => void>) {
    this.#server = server
    this.address = address
    this.wires = wires
    this.#waiting = waiting
  }

  /** Listens on a free port of `host`; `serve` gets each connection. */
  static async open(serve: (wire: Wire) => void = () => undefined, host = '127.0.0.1'): Promise<Listener> {
    const wires: Wire[] = []
    const waiting = new Set<() => void>()
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      const wire = new Wire(socket)
      wires.push(wire)
      serve(wire)
      for (const wake of waiting) wake()
    })
    const address = await listen(server, host, 0)
    return new Listener(server, address, wires, waiting)
  }

  /** The connection number `index` (from 0), or undefined where it does not come within `ms`. */
  async wire(index: number, ms: number): Promise<Wire | undefined> {
    if (this.wires.length <= index) {
      await new Promise<void>((resolve) => {
        const check = (): void => {
          if (this.wires.length <= index) return
          clearTimeout(timer)
          this.#waiting.delete(check)
          resolve()
        }
        const timer = setTimeout(() => {
          this.#waiting.delete(check)
          resolve()
        }, ms)
        this.#waiting.add(check)
      })
    }
    return this.wires[index]
  }

  /** Stops listening and breaks what is open. */
  async close(): Promise<void> {
    for (const { socket } of this.wires) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

/** Bytes for a report. */
export function hex(bytes: Uint8Array): string {
  if (bytes.length === 0) return '(nothing)'
  const shown = Buffer.from(bytes.subarray(0, 48))
    .toString('hex')
    .replace(/..(?=.)/g, '$& ')
  return bytes.length > 48 ? `${shown} … (${bytes.length} bytes)` : shown
}
