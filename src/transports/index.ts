/** The built-in transports, by name; each is loaded when it is launched, so a PT pays only for what it runs. */
import type { Transport } from '../transport.ts'

interface BuiltIn {
  readonly name: string
  load(): Promise<Transport>
}

/** `{ name: 'obfs4', load: async () => (await import('./obfs4/index.ts')).obfs4 }`, sorted by name. */
export const builtIns: readonly BuiltIn[] = []
