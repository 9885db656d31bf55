/** Lists of several kinds of bridges, as they are handed out: those that can be served are, and the others are named with a reason. */
import type { BridgeLine } from '../../app/index.ts'
import { lintBridgeLine, parseBridgeLine } from '../../app/index.ts'
import { whyNotBuiltIn } from './exec.ts'
import type { NamedLine } from './inputs.ts'
import type { Naming } from './schema/naming.ts'
import { OptionMistake } from './schema/naming.ts'

export interface Servable {
  readonly bridges: readonly BridgeLine[]
  /** A sentence for each line that is passed over, without its address. */
  readonly passedOver: readonly string[]
}

/** A line, or why it cannot be dialled. */
type Verdict = { readonly bridge: BridgeLine } | { readonly why: string; readonly ofKind: boolean }

/**
 * The lines that can be dialled. One that was typed has to be right, because its user is there to mend it. It may be of a kind that
 * cannot be served, without a transport or of one that we do not have: nothing here leads around a bridge, so the others can go on.
 * Throws OptionMistake if none is left.
 */
export function servable(lines: readonly NamedLine[], exec: readonly string[] | undefined, naming: Naming): Servable {
  if (lines.length === 0) {
    throw new OptionMistake(
      'bridges',
      `it is missing, and so is ${naming.of('file')}, which names a file of bridge lines`,
    )
  }
  const bridges: BridgeLine[] = []
  const passedOver: OptionMistake[] = []
  for (const { text, option, at } of lines) {
    const part = option === 'file' ? ({ line: at } as const) : ({ item: at } as const)
    const verdict = judge(text, exec, naming)
    if ('bridge' in verdict) bridges.push(verdict.bridge)
    else if (option === 'bridges' && !verdict.ofKind) throw new OptionMistake(option, verdict.why, part)
    else passedOver.push(new OptionMistake(option, verdict.why, part))
  }
  if (bridges.length === 0) throw passedOver[0]!
  return {
    bridges,
    passedOver: passedOver.map(({ option, part, message }) => `${naming.of(option, part)}: ${message}`),
  }
}

function judge(text: string, exec: readonly string[] | undefined, naming: Naming): Verdict {
  const findings = lintBridgeLine(text).filter(({ severity }) => severity === 'error')
  const ofTransport = findings.find(({ field }) => field === 'transport')
  if (ofTransport?.message.startsWith('a plain') === true) {
    const why = 'bridge line: there is no transport before the address; only Tor itself can use a plain one'
    return { ofKind: true, why }
  }
  let bridge: BridgeLine
  try {
    bridge = parseBridgeLine(text)
  } catch (error) {
    return { ofKind: false, why: (error as Error).message }
  }
  // A mistyped name is a fault of this line, and not a transport that we lack.
  const lacking =
    ofTransport === undefined && exec === undefined ? whyNotBuiltIn(bridge.transport, naming.of('exec')) : undefined
  if (lacking !== undefined) return { ofKind: true, why: lacking }
  // A documentation address may be a laboratory's; an argument that cannot work is one everywhere.
  const wrong = findings.find(({ field }) => field !== 'address')
  return wrong === undefined ? { bridge } : { ofKind: false, why: `bridge line: ${wrong.field}: ${wrong.message}` }
}
