/** The edge cases of test/vectors/ipc-vectors.json, as tests take them. */
import { readFileSync } from 'node:fs'

export interface Vector {
  readonly id: string
  readonly area: string
  /** Whose behaviour it is. */
  readonly source: string
  readonly input: unknown
  readonly expect: unknown
  readonly note: string
}

const file = new URL('vectors/ipc-vectors.json', import.meta.url)

export const vectors: readonly Vector[] = (JSON.parse(readFileSync(file, 'utf8')) as { vectors: Vector[] }).vectors

/** The vectors of some areas; an area that has none is a mistake. */
export function vectorsOf(...areas: readonly string[]): Vector[] {
  for (const area of areas) if (!vectors.some((vector) => vector.area === area)) throw new Error(`no area ${area}`)
  return vectors.filter((vector) => areas.includes(vector.area))
}

/** `hex:…` as the bytes that it stands for; other text as UTF-8. */
export function bytesOf(text: string): Buffer {
  return text.startsWith('hex:') ? Buffer.from(text.slice('hex:'.length).replaceAll(' ', ''), 'hex') : Buffer.from(text)
}
