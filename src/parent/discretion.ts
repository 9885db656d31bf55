/**
 * What a PT says, as errors may repeat it: without addresses, and without what this parent knows of its bridges. A PT
 * repeats in its own words what it was told, and an error goes into logs and reports (ANON-1, ANON-4).
 */
import type { ProxyUri } from '../ipc/index.ts'
import { redact, scrubForeign, shorten } from '../ipc/index.ts'

/** How many values are remembered, the newest ones: an application may dial bridges without end. */
const KEPT = 1_000

/** The longest account that an error has of the PT's words, in characters. */
const WORDS_LIMIT = 500

export class Discretion {
  readonly #secrets = new Set<string>()

  constructor(secrets: Iterable<string> = []) {
    this.add(secrets)
  }

  /** Takes `values` out of every text from here on. */
  add(values: Iterable<string>): void {
    for (const value of values) {
      this.#secrets.delete(value)
      this.#secrets.add(value)
      if (this.#secrets.size > KEPT) this.#secrets.delete(this.#secrets.values().next().value!)
    }
  }

  /** `text` as it may be shown in a line, at most some 2,000 characters of it. */
  clean(text: string): string {
    return scrubForeign(shorten(this.#printable(text)))
  }

  /** The last words of a PT, for `PtError.reported`. */
  words(text: string): string {
    const words = this.clean(text)
    return words.length > WORDS_LIMIT ? `${words.slice(0, WORDS_LIMIT)}…` : words
  }

  /** The same for a text of several lines that is kept whole. */
  cleanAll(text: string): string {
    return text
      .split('\n')
      .map((line) => scrubForeign(this.#printable(line)))
      .join('\n')
  }

  /** Without secrets, and without what would command a terminal or turn the direction of writing. */
  #printable(text: string): string {
    return redact(text, [...this.#secrets]).replace(/[\p{Cc}\p{Cf}]/gu, ' ')
  }
}

/** Host, user name and password. */
export function secretsOfProxy(proxy: ProxyUri | undefined): string[] {
  if (proxy === undefined) return []
  const { address, user, password } = proxy
  return [address.host, user, password].filter((part) => part !== undefined)
}
