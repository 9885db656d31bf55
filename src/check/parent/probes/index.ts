/** All probes of a parent, by the role of its PT. */
import type { Probe } from '../../probe.ts'
import type { Role } from '../../verdict.ts'
import type { ParentLab } from '../parent-lab.ts'
import { argsProbes } from './args.ts'
import { dialogueProbes } from './dialogue.ts'
import { environmentProbes } from './environment.ts'

export function parentProbes(role: Role): Probe<ParentLab>[] {
  return [...environmentProbes(role), ...dialogueProbes(role), ...(role === 'client' ? argsProbes : [])]
}
