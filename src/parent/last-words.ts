/**
 * The stderr of a PT: free text that is always read to its end, handed on line by line and never parsed. Its last bytes are kept for
 * errors.
 */

/** How much of stderr is kept. */
export const KEPT_BYTES: number = 16 * 1024

/** A longer line is cut into pieces of this many bytes. */
const LINE_SIZE = 4 * 1024

export class LastWords {
  #kept: Buffer = Buffer.alloc(0)
  #line: Buffer = Buffer.alloc(0)

  /** The lines that `chunk` completes. */
  push(chunk: Buffer): string[] {
    this.#kept = Buffer.from(Buffer.concat([this.#kept, chunk]).subarray(-KEPT_BYTES))
    const lines: string[] = []
    let held = Buffer.concat([this.#line, chunk])
    for (;;) {
      const newline = held.indexOf(10)
      const end = newline === -1 || newline > LINE_SIZE ? LINE_SIZE : newline
      if (newline === -1 && held.length <= LINE_SIZE) break
      lines.push(held.toString('utf8', 0, end).replace(/\r$/, ''))
      held = held.subarray(end === newline ? end + 1 : end)
    }
    this.#line = Buffer.from(held)
    return lines
  }

  /** The bytes that are kept, as text. */
  get text(): string {
    return this.#kept.toString('utf8')
  }

  /** The last `count` lines that are not blank, shortened for a message. */
  lastLines(count: number): string[] {
    const lines = this.text.split('\n').map((line) => line.trim())
    return lines
      .filter((line) => line !== '')
      .slice(-count)
      .map((line) => line.slice(0, 300))
  }
}
