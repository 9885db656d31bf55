/**
 * A TCP connection as a stream, with no more in it than a PT needs. It does what net.Socket does with `allowHalfOpen` and without
 * Nagle's delay, except for its time-outs and for what HTTP asks of it, at two thirds of the cost of a short connection.
 */
import { Duplex } from 'node:stream'
import { getSystemErrorName } from 'node:util'
import type { ReadOwner, TcpChannel, TcpConn } from './channel.ts'
import { channelKey, requireLent } from './channel.ts'
import { readMemory } from './read-memory.ts'
import type { TcpBinding, TcpHandle, WriteRequest } from './tcp-binding.ts'

interface Peer {
  address?: string
  port?: number
}

type Done = (error?: Error | null) => void

/** UV_EOF of libuv. */
const END = -4095
/** The result of shutdown() if there is nothing to wait for. */
const DONE = 1

const socketOf: unique symbol = Symbol('postern.socket')

type OwnedHandle = TcpHandle & { [socketOf]: TcpSocket }

export class TcpSocket extends Duplex implements TcpConn, TcpChannel {
  readonly #binding: TcpBinding
  #handle: OwnedHandle | undefined
  /** Counted as net.Socket counts them. */
  bytesRead = 0
  /** What still waits in the queue of the stream is not counted yet. */
  bytesWritten = 0
  #reading = false
  #memory: Uint8Array = readMemory()
  /** Undefined if what is read goes into the stream. */
  #owner: ReadOwner | undefined
  #closesWithReset = false
  #knownPeer: Peer | undefined

  /** Takes over a connected handle, and starts to read. */
  constructor(handle: TcpHandle, binding: TcpBinding) {
    super({ allowHalfOpen: true })
    this.#binding = binding
    this.#handle = Object.assign(handle, { [socketOf]: this, onread: onRead })
    handle.useUserBuffer(this.#memory)
    this.readOn()
  }

  get duplex(): this {
    return this
  }

  get canGiveReads(): boolean {
    return !this.destroyed
  }

  giveReadsTo(owner: ReadOwner, memory: Uint8Array): void {
    const before = this.#owner
    this.#owner = owner
    if (memory !== this.#memory) {
      this.#memory = requireLent(memory)
      this.#handle?.useUserBuffer(memory)
    }
    if (before !== owner) before?.replaced?.()
  }

  readOn(): void {
    if (this.#reading || this.#handle === undefined) return
    this.#reading = true
    const code = this.#handle.readStart()
    if (code !== 0) this.destroy(systemError(code, 'read'))
  }

  ref(): this {
    this.#handle?.ref()
    return this
  }

  unref(): this {
    this.#handle?.unref()
    return this
  }

  get remoteAddress(): string | undefined {
    return this.#peer()?.address
  }

  get remotePort(): number | undefined {
    return this.#peer()?.port
  }

  /** The system is asked once. After the close there is no peer. */
  #peer(): Peer | undefined {
    const handle = this.#handle
    if (handle === undefined) return undefined
    if (this.#knownPeer === undefined) {
      const peer: Peer = {}
      if (handle.getpeername(peer) !== 0) return undefined
      this.#knownPeer = peer
    }
    return this.#knownPeer
  }

  /** The handle calls this if bytes lie in the memory, and at the end or after an error. */
  arrived(): void {
    const length = this.#binding.lastRead()
    if (length === 0) return
    if (length > 0) {
      this.bytesRead += length
      const goOn = this.#owner === undefined ? this.push(this.#copy(length)) : this.#owner.arrived(length)
      return goOn ? undefined : this.#stopReading()
    }
    if (length !== END) return void this.destroy(systemError(length, 'read'))
    this.push(null)
    // If nothing is left in the stream, this lets it say that it has ended.
    this.read(0)
  }

  #copy(length: number): Buffer {
    return Buffer.from(this.#memory.subarray(0, length))
  }

  #stopReading(): void {
    if (this.#handle === undefined) return
    this.#reading = false
    this.#handle.readStop()
  }

  override _read(): void {
    this.readOn()
  }

  override _write(bytes: Uint8Array, _encoding: BufferEncoding, done: Done): void {
    const request = new this.#binding.WriteRequest()
    this.bytesWritten += bytes.length
    this.#written(request, this.#handle!.writeBuffer(request, bytes), bytes, done)
  }

  /** What waits in the stream goes first. libuv keeps the order of what waits here. */
  writeNow(bytes: Uint8Array, taken: () => void): boolean {
    const handle = this.#handle
    if (handle === undefined) return true
    if (this.writableLength > 0) {
      this.write(bytes, () => taken())
      return false
    }
    const request = new this.#binding.WriteRequest()
    this.bytesWritten += bytes.length
    const code = handle.writeBuffer(request, bytes)
    if (code !== 0) this.destroy(systemError(code, 'write'))
    if (code !== 0 || !this.#binding.lastWriteWaits()) return true
    request.bytes = bytes
    request.oncomplete = (status) => {
      if (status < 0) this.destroy(systemError(status, 'write'))
      taken()
    }
    return false
  }

  override _writev(chunks: readonly { chunk: Uint8Array }[], done: Done): void {
    const request = new this.#binding.WriteRequest()
    const pieces = chunks.map(({ chunk }) => chunk)
    for (const piece of pieces) this.bytesWritten += piece.length
    this.#written(request, this.#handle!.writev(request, pieces, true), pieces, done)
  }

  #written(request: WriteRequest, code: number, bytes: unknown, done: Done): void {
    if (code !== 0) return done(systemError(code, 'write'))
    if (!this.#binding.lastWriteWaits()) return done()
    request.bytes = bytes
    request.oncomplete = (status) => done(status < 0 ? systemError(status, 'write') : null)
  }

  override _final(done: Done): void {
    const request = new this.#binding.ShutdownRequest()
    // If the connection is gone, the reading finds out.
    request.oncomplete = () => done()
    const code = this.#handle!.shutdown(request)
    if (code === DONE) done()
    else if (code !== 0) done(getSystemErrorName(code) === 'ENOTCONN' ? null : systemError(code, 'shutdown'))
  }

  closeWithReset(): void {
    this.#closesWithReset = !this.writableEnded || this.writableFinished
    this.destroy()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (this.#closesWithReset) this.#handle?.reset()
    else this.#handle?.close()
    this.#handle = undefined
    done(error)
  }
}

// A class that is exported cannot have a member under an imported symbol, as its types are made file by file.
Object.defineProperty(TcpSocket.prototype, channelKey, {
  get(this: TcpSocket) {
    return this
  },
})

function onRead(this: TcpHandle): void {
  ;(this as OwnedHandle)[socketOf].arrived()
}

/** An error as Node makes it, but without an address: that of a bridge or of a client must not be shown. */
export function systemError(code: number, syscall: string): NodeJS.ErrnoException {
  const name = getSystemErrorName(code)
  return Object.assign(new Error(`${syscall} ${name}`), { code: name, errno: code, syscall })
}
