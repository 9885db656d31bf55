/** Lists of several kinds of bridges, as they are handed out: what can be served is, and of the rest is said why not. */
import { lintBridgeLine, parseBridgeLine } from '../../app/index.ts'
import { UsageError } from '../usage.ts'
import { whyNotBuiltIn } from './exec.ts'
import type { NamedLine } from './inputs.ts'
import { checks } from './spec.ts'

export interface Servable {
  readonly bridges: readonly string[]
  /** A sentence for each line that is passed over, without its address. */
  readonly notes: readonly string[]
}

/**
 * The lines that can be dialled. One that was typed has to be right, as its writer is there to mend it; but of another kind it
 * may be, without a transport or of one that we do not have. Nothing here leads around a bridge, so the others can go on.
 * Throws UsageError if none is left.
 */
export function servable(lines: readonly NamedLine[], exec: readonly string[] | undefined): Servable {
  const bridges: string[] = []
  const notes: string[] = []
  for (const { text, name, typed } of lines) {
    const why = whyOfKind(text, exec) ?? whyNot(text)
    if (why === undefined) bridges.push(text)
    else if (typed && whyOfKind(text, exec) === undefined) throw new UsageError(`${name}: ${why}`)
    else notes.push(`${name}: ${why}`)
  }
  if (bridges.length === 0) throw new UsageError(notes[0] ?? 'there is no bridge line')
  return { bridges, notes }
}

/** Why nothing can be done with a line of this kind, however right it is. */
export function whyOfKind(text: string, exec: readonly string[] | undefined): string | undefined {
  const wrong = lintBridgeLine(text).find(({ severity, field }) => severity === 'error' && field === 'transport')
  if (wrong?.message.startsWith('a plain') === true) {
    return 'bridge line: there is no transport before the address; only Tor itself can use a plain one'
  }
  // A mistyped name is a fault of this line, and not a transport that we lack.
  if (wrong !== undefined) return undefined
  try {
    return exec === undefined ? whyNotBuiltIn(parseBridgeLine(text).transport) : undefined
  } catch {
    return undefined
  }
}

function whyNot(text: string): string | undefined {
  try {
    checks.bridge(text)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}
