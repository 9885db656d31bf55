/** The shape of a case and of a group of them. */
import type { Transport } from '../transport.ts'
import type { Settings } from './settings.ts'

/** One case of the suite. */
export interface TransportCase {
  /** What holds, as a sentence about the transport. */
  readonly name: string
  /** Resolves if it holds, and rejects with what was seen instead. Cases are independent and may run in any order. */
  readonly run: () => Promise<void>
}

export type Cases = (transport: Transport, settings: Settings) => TransportCase[]
