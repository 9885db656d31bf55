/** The question to a transport whether it can use arguments, before anything is opened or launched. */
import { PtError } from '../error.ts'
import { formatFinding } from '../ipc/index.ts'
import type { Args, Transport } from '../transport.ts'

/** Throws PT_ARGS, stage `argument`, with the first error that the transport finds in `args`. */
export function requireArguments(transport: Transport, args: Args, role: 'client' | 'server'): void {
  const fault = transport.checkArguments?.(args, role).find(({ severity }) => severity === 'error')
  if (fault === undefined) return
  throw new PtError('PT_ARGS', formatFinding(fault), { stage: 'argument' })
}
