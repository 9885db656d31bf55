/** Comparison of secrets. */
import { timingSafeEqual } from 'node:crypto'

/** Equality in constant time: how much of a guess was right must not show. A difference in length is no secret. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}
