/**
 * What a PT says, as errors may repeat it: without addresses, and without what this parent knows of its bridges. A PT
 * repeats in its own words what it was told, and an error goes into logs and reports (ANON-1, ANON-4).
 */
import type { ProxyUri } from '../ipc/index.ts'
import { redact, scrubForeign, shorten } from '../ipc/index.ts'

/** How many values are remembered, the newest ones: an application may dial bridges without end. */
const KEPT = 1_000

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

  /** `text` as it may be shown, at most some 2,000 characters of it. */
  clean(text: string): string {
    return scrubForeign(shorten(redact(text, [...this.#secrets])))
  }

  /** The same for a text of several lines that is kept whole. */
  cleanAll(text: string): string {
    return scrubForeign(redact(text, [...this.#secrets]))
  }
}

/** Host, user name and password. */
export function secretsOfProxy(proxy: ProxyUri | undefined): string[] {
  if (proxy === undefined) return []
  const { address, user, password } = proxy
  return [address.host, user, password].filter((part) => part !== undefined)
}
