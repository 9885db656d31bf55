/** A stream that fails only after its reader has all that came before. */
import { Duplex } from 'node:stream'

export abstract class LateFailing extends Duplex {
  /** True if nothing more comes: the stream ends, with the error of fail() if there was one, once the reader has caught up. */
  protected failed = false
  #failure: Error | undefined

  /** destroy() throws away what was pushed and not read yet, so it waits until the reader has caught up. The first error counts. */
  protected fail(error?: Error): void {
    this.failed = true
    this.#failure ??= error
    this.#failOnceRead()
  }

  #failOnceRead(): void {
    // Until its turn is over, a reader may put back the bytes that it took too many of.
    setImmediate(() => {
      if (this.readableLength === 0) this.destroy(this.#failure)
    })
  }

  override read(size?: number): unknown {
    const bytes: unknown = super.read(size)
    if (this.failed && this.readableLength === 0) this.#failOnceRead()
    return bytes
  }
}
