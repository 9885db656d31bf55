/**
 * The transports that a PT has: each under one name (NAME-2), loaded when it is launched and not before.
 */
import { PtError } from '../error.ts'
import { requireTransportName } from '../ipc/index.ts'
import type { Transport } from '../transport.ts'

/** A transport by name that costs nothing until it is asked for. */
export interface LazyTransport {
  readonly name: string
  load(): Promise<Transport>
}

/** A transport for runPt, or one that is loaded when it is asked for. */
export type TransportEntry = Transport | LazyTransport

export type Registry = ReadonlyMap<string, TransportEntry>

/** Throws PT_NAME for a name that is no transport name or that is there twice. */
export function registry(entries: readonly TransportEntry[]): Registry {
  const byName = new Map<string, TransportEntry>()
  for (const entry of entries) {
    const name = requireTransportName(entry.name)
    if (byName.has(name)) throw new PtError('PT_NAME', `two transports are registered under the name ${name}`)
    byName.set(name, entry)
  }
  return byName
}

export async function loadTransport(entry: TransportEntry): Promise<Transport> {
  return isTransport(entry) ? entry : await entry.load()
}

/** True for a value that has the shape of a Transport, such as an export of a third party's module. */
export function isTransport(value: unknown): value is Transport {
  if (typeof value !== 'object' || value === null) return false
  const { name, client, server } = value as Partial<Transport>
  return typeof name === 'string' && typeof client === 'function' && typeof server === 'function'
}
