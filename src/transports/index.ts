/** The built-in transports, by name; each is loaded when it is launched, so a PT pays only for what it runs. */
import type { Transport } from '../transport.ts'

interface BuiltIn {
  readonly name: string
  load(): Promise<Transport>
}

/** Sorted by name. */
export const builtIns: readonly BuiltIn[] = [
  { name: 'meek', load: async () => (await import('./meek/index.ts')).meek },
  { name: 'meek_lite', load: async () => (await import('./meek/index.ts')).meekLite },
  { name: 'obfs2', load: async () => (await import('./obfs2/index.ts')).obfs2 },
  { name: 'obfs3', load: async () => (await import('./obfs3/index.ts')).obfs3 },
  { name: 'obfs4', load: async () => (await import('./obfs4/index.ts')).obfs4 },
  { name: 'scramblesuit', load: async () => (await import('./scramblesuit/index.ts')).scramblesuit },
  { name: 'webtunnel', load: async () => (await import('./webtunnel/index.ts')).webtunnel },
]
