/**
 * A TCP connection as a stream, with no more in it than a PT needs. It does what net.Socket does with `allowHalfOpen` and
 * without Nagle's delay, but for its time-outs and what HTTP asks of it, at two thirds of the cost of a short connection.
 */
import { Duplex } from 'node:stream'
import { getSystemErrorName } from 'node:util'
import { readMemory } from './read-memory.ts'
import type { TcpBinding, TcpHandle, WriteRequest } from './tcp-binding.ts'

/** Takes the `length` bytes that lie at the beginning of the memory; false stops reading. */
export type TakeRead = (length: number) => boolean

type Done = (error?: Error | null) => void

/** libuv's UV_EOF. */
const END = -4095
/** What shutdown() gives where there is nothing to wait for. */
const DONE = 1

const socketOf: unique symbol = Symbol('postern.socket')

type OwnedHandle = TcpHandle & { [socketOf]: TcpSocket }

export class TcpSocket extends Duplex {
  readonly #binding: TcpBinding
  #handle: OwnedHandle | undefined
  /** As net.Socket counts them. */
  bytesRead = 0
  #reading = false
  #memory: Uint8Array = readMemory()
  /** Undefined: into the stream. */
  #take: TakeRead | undefined

  /** Takes over a connected handle, and reads. */
  constructor(handle: TcpHandle, binding: TcpBinding) {
    super({ allowHalfOpen: true })
    this.#binding = binding
    this.#handle = Object.assign(handle, { [socketOf]: this, onread: onRead })
    handle.useUserBuffer(this.#memory)
    this.readOn()
  }

  /** From now on what arrives goes to `take` and not into the stream. Reading goes on as it was; readOn() starts it. */
  shareReads(memory: Uint8Array, take: TakeRead): void {
    this.#take = take
    if (memory === this.#memory) return
    this.#memory = memory
    this.#handle?.useUserBuffer(memory)
  }

  /** Starts reading, or does so again after it was stopped. */
  readOn(): void {
    if (this.#reading || this.#handle === undefined) return
    this.#reading = true
    const code = this.#handle.readStart()
    if (code !== 0) this.destroy(systemError(code, 'read'))
  }

  /** As of net.Socket: whether it keeps the process running. */
  ref(): this {
    this.#handle?.ref()
    return this
  }

  unref(): this {
    this.#handle?.unref()
    return this
  }

  get remoteAddress(): string | undefined {
    return this.#peer().address
  }

  get remotePort(): number | undefined {
    return this.#peer().port
  }

  #peer(): { address?: string; port?: number } {
    const peer = {}
    this.#handle?.getpeername(peer)
    return peer
  }

  /** Of the handle: bytes lie in the memory, or it is the end, or an error. */
  arrived(): void {
    const length = this.#binding.lastRead()
    if (length === 0) return
    if (length > 0) {
      this.bytesRead += length
      return this.#took(this.#take === undefined ? this.push(this.#copy(length)) : this.#take(length))
    }
    if (length !== END) return void this.destroy(systemError(length, 'read'))
    this.push(null)
    // Lets the stream say so where nothing is left in it.
    this.read(0)
  }

  #copy(length: number): Buffer {
    return Buffer.from(this.#memory.subarray(0, length))
  }

  #took(goOn: boolean): void {
    if (goOn || this.#handle === undefined) return
    this.#reading = false
    this.#handle.readStop()
  }

  override _read(): void {
    this.readOn()
  }

  override _write(bytes: Uint8Array, _encoding: BufferEncoding, done: Done): void {
    const request = new this.#binding.WriteRequest()
    this.#written(request, this.#handle!.writeBuffer(request, bytes), bytes, done)
  }

  /** writeNow() of this socket. What waits in the stream goes first; what waits here, libuv keeps in order. */
  writeNow(bytes: Uint8Array, taken: () => void): boolean {
    const handle = this.#handle
    if (handle === undefined) return true
    if (this.writableLength > 0) {
      this.write(bytes, () => taken())
      return false
    }
    const request = new this.#binding.WriteRequest()
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
    // That the connection is gone is for the reading to find out.
    request.oncomplete = () => done()
    const code = this.#handle!.shutdown(request)
    if (code === DONE) done()
    else if (code !== 0) done(getSystemErrorName(code) === 'ENOTCONN' ? null : systemError(code, 'shutdown'))
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#handle?.close()
    this.#handle = undefined
    done(error)
  }
}

function onRead(this: TcpHandle): void {
  ;(this as OwnedHandle)[socketOf].arrived()
}

/** As Node makes it, but without an address: a bridge's or a client's is nobody's to see. */
export function systemError(code: number, syscall: string): NodeJS.ErrnoException {
  const name = getSystemErrorName(code)
  return Object.assign(new Error(`${syscall} ${name}`), { code: name, errno: code, syscall })
}
