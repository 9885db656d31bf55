/**
 * Raw connections: bytes as they come, the end of a stream as a fact and not as an error, and listeners that remember.
 */
import type { Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { delay } from '../../io/wait/deadline.ts'
import { listen } from '../../io/tcp/listen.ts'
import type { Address } from '../../ipc/index.ts'
import type { Strain } from './strain.ts'
import { Waiting } from './waiting.ts'

/** A connection whose bytes are kept until they are taken. */
export class Wire {
  readonly socket: Socket
  /** The port of the other side; the socket itself forgets it once it is closed. */
  readonly remotePort: number
  ended = false
  #held: Buffer = Buffer.alloc(0)
  readonly #waiting: Waiting
  readonly #keep: (chunk: Buffer) => void

  constructor(strain: Strain, socket: Socket) {
    this.socket = socket
    this.remotePort = socket.remotePort ?? 0
    this.#waiting = new Waiting(strain, true)
    const over = (): void => {
      this.ended = true
      this.#waiting.wake()
    }
    socket.on('error', () => undefined)
    this.#keep = (chunk) => {
      this.#held = Buffer.concat([this.#held, chunk])
      this.#waiting.wake()
    }
    socket.on('data', this.#keep)
    socket.once('end', over).once('close', over)
  }

  write(bytes: string | Uint8Array): void {
    this.socket.write(bytes)
  }

  /** Writes one byte at a time, in packets of their own, `pause` milliseconds apart. */
  async trickle(bytes: Uint8Array, pause = 2): Promise<void> {
    for (const byte of bytes) {
      this.socket.write(Uint8Array.of(byte))
      await delay(pause)
    }
  }

  /** Takes `length` bytes, or what there is of them if the stream ends or the time is over. */
  async take(length: number, ms: number): Promise<Buffer> {
    await this.#wait(ms, () => this.#held.length >= length)
    const bytes = this.#held.subarray(0, length)
    this.#held = this.#held.subarray(bytes.length)
    return bytes
  }

  /** Takes all that comes within `ms`, or until the end. */
  async rest(ms: number): Promise<Buffer> {
    return await this.take(Number.MAX_SAFE_INTEGER, ms)
  }

  /** True if the other side ends or breaks the connection within `ms`. */
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

  async #wait(ms: number, holds: () => boolean): Promise<void> {
    await this.#waiting.until(ms, () => holds() || this.ended)
  }
}

/** Opens a connection; undefined if no program accepts it. */
export async function dialWire(strain: Strain, address: Address, localAddress?: string): Promise<Wire | undefined> {
  const socket = connect({ ...address, allowHalfOpen: true, noDelay: true, ...(localAddress && { localAddress }) })
  return await new Promise((resolve) => {
    socket.once('connect', () => resolve(new Wire(strain, socket)))
    socket.once('error', () => resolve(undefined))
  })
}

/** A listener that keeps every connection it got. */
export class Listener {
  readonly address: Address
  readonly wires: readonly Wire[]
  readonly #server: Server
  readonly #waiting: Waiting

  private constructor(server: Server, address: Address, wires: readonly Wire[], waiting: Waiting) {
    this.#server = server
    this.address = address
    this.wires = wires
    this.#waiting = waiting
  }

  /** Listens on `port` of `host`, 0 for a free one; `serve` gets each connection. */
  static async open(
    strain: Strain,
    serve: (wire: Wire) => void = () => undefined,
    host = '127.0.0.1',
    port = 0,
  ): Promise<Listener> {
    const wires: Wire[] = []
    const waiting = new Waiting(strain, true)
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      const wire = new Wire(strain, socket)
      wires.push(wire)
      serve(wire)
      waiting.wake()
    })
    const address = await listen(server, host, port)
    return new Listener(server, address, wires, waiting)
  }

  /** Waits for the connection number `index` (from 0); undefined if it does not come within `ms`. */
  async wire(index: number, ms: number): Promise<Wire | undefined> {
    await this.#waiting.until(ms, () => this.wires.length > index)
    return this.wires[index]
  }

  /** Stops listening and breaks what is open. */
  async close(): Promise<void> {
    for (const { socket } of this.wires) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

/** Writes bytes for a report. */
export function hex(bytes: Uint8Array): string {
  if (bytes.length === 0) return '(nothing)'
  const shown = Buffer.from(bytes.subarray(0, 48))
    .toString('hex')
    .replace(/..(?=.)/g, '$& ')
  return bytes.length > 48 ? `${shown} … (${bytes.length} bytes)` : shown
}
