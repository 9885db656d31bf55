/** The probes that there are, without running any. */
import { parentProbes } from './parent/probes/index.ts'
import type { Probe } from './probe.ts'
import { ptProbes } from './pt/probes/index.ts'
import type { Role } from './verdict.ts'

export interface ListedProbe {
  readonly ids: readonly string[]
  readonly role: Role
  readonly title: string
  /** True where it waits out a time limit, and `skipSlow` leaves it out. */
  readonly slow: boolean
}

/** Of a PT, or of a parent of PTs in each role. */
export function listProbes(subject: 'pt' | 'parent'): ListedProbe[] {
  const of = (role: Role): readonly Probe<never>[] => (subject === 'pt' ? ptProbes(role) : parentProbes(role))
  return (['client', 'server'] as const)
    .flatMap((role) => of(role))
    .map(({ ids, role, title, slow = false }) => ({ ids, role, title, slow }))
}
