/** The built-in transports, by name; each is loaded when it is launched, so a PT pays only for what it runs. */
import type { Profile } from '../tls/profiles/profile.ts'
import type { Transport } from '../transport.ts'

interface BuiltIn {
  readonly name: string
  load(): Promise<Transport>
}

/** What a user may choose of them all. */
interface Choices {
  /** The ClientHello of clients that use TLS, in place of what a bridge line asks for. It has been checked. */
  readonly profile?: Profile | undefined
}

/** Sorted by name. */
export function builtInTransports({ profile }: Choices): readonly BuiltIn[] {
  return [
    { name: 'meek', load: async () => (await import('./meek/index.ts')).meekOf(profile) },
    { name: 'meek_lite', load: async () => (await import('./meek/index.ts')).meekLiteOf(profile) },
    { name: 'obfs2', load: async () => (await import('./obfs2/index.ts')).obfs2 },
    { name: 'obfs3', load: async () => (await import('./obfs3/index.ts')).obfs3 },
    { name: 'obfs4', load: async () => (await import('./obfs4/index.ts')).obfs4 },
    { name: 'scramblesuit', load: async () => (await import('./scramblesuit/index.ts')).scramblesuit },
    { name: 'webtunnel', load: async () => (await import('./webtunnel/index.ts')).webtunnelOf(profile) },
  ]
}

/** The same without any choice. */
export const builtIns: readonly BuiltIn[] = builtInTransports({})
