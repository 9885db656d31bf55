/** Cuts the bytes that arrive into records. Only a record that came in pieces is copied. */
import { HEADER_LENGTH, recordLength } from './record.ts'

const nothing = Buffer.alloc(0)

export class RecordCutter {
  #chunk: Buffer = nothing
  #at = 0
  /** The record of which only a part has come, as long as it is known to be: first its header, and then the whole of it. */
  #held: Buffer | undefined
  #filled = 0

  /** True if a part of a record has come. */
  get isAmid(): boolean {
    return this.#held !== undefined
  }

  /** Takes the next bytes. The records of those before them have to be taken first. */
  add(chunk: Buffer): void {
    this.#chunk = chunk
    this.#at = 0
  }

  /**
   * The next whole record, which may be a view of the last chunk. Undefined if more bytes are needed; nothing refers to the chunk then.
   * Throws if what comes next is no record, or too long a one.
   */
  next(isProtected: boolean): Buffer | undefined {
    if (this.#held !== undefined) return this.#complete(isProtected)
    const start = this.#at
    const chunk = this.#chunk
    const left = chunk.length - start
    if (left < HEADER_LENGTH) return this.#hold(HEADER_LENGTH)
    const length = recordLength(chunk, start, isProtected)
    if (left < length) return this.#hold(length)
    this.#at = start + length
    return chunk.subarray(start, this.#at)
  }

  /** Gives the bytes after the last record that next() gave, and keeps none of them. */
  takeRest(): Buffer {
    const rest = this.#chunk.subarray(this.#at)
    const all = this.#held === undefined ? rest : Buffer.concat([this.#held.subarray(0, this.#filled), rest])
    this.#held = undefined
    this.#chunk = nothing
    this.#at = this.#filled = 0
    return all
  }

  #hold(length: number): undefined {
    if (this.#at < this.#chunk.length) {
      this.#held = Buffer.allocUnsafe(length)
      this.#filled = 0
      this.#fill(this.#held)
    }
    this.#chunk = nothing
    this.#at = 0
    return undefined
  }

  #complete(isProtected: boolean): Buffer | undefined {
    if (!this.#fill(this.#held!)) return this.#release()
    if (this.#filled === HEADER_LENGTH) {
      const length = recordLength(this.#held!, 0, isProtected)
      const whole = Buffer.allocUnsafe(length)
      this.#held!.copy(whole)
      this.#held = whole
      if (!this.#fill(whole)) return this.#release()
    }
    const record = this.#held
    this.#held = undefined
    return record
  }

  #release(): undefined {
    this.#chunk = nothing
    this.#at = 0
    return undefined
  }

  /** True if `held` is full. */
  #fill(held: Buffer): boolean {
    const copied = this.#chunk.copy(held, this.#filled, this.#at)
    this.#filled += copied
    this.#at += copied
    return this.#filled === held.length
  }
}
