/** The probes that there are, without running any. */
import { parentProbes } from './parent/probes/index.ts'
import type { Probe } from './probe.ts'
import { ptProbes } from './pt/probes/index.ts'
import type { Role } from './verdict.ts'

/** One probe of the checker, without its result. */
export interface ListedProbe {
  readonly ids: readonly string[]
  readonly role: Role
  readonly title: string
  /** True if the probe waits out a time limit, and `skipSlow` leaves it out. */
  readonly slow: boolean
}

/** Lists the probes of a PT, or of a parent of PTs in each role. */
export function listProbes(subject: 'pt' | 'parent'): ListedProbe[] {
  const of = (role: Role): readonly Probe<never>[] => (subject === 'pt' ? ptProbes(role) : parentProbes(role))
  return (['client', 'server'] as const)
    .flatMap((role) => of(role))
    .map(({ ids, role, title, slow = false }) => ({ ids, role, title, slow }))
}
