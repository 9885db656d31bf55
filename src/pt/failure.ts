/**
 * A failed connection in the operator's words: where it failed, and what may help.
 */
import type { DialStage } from '../error.ts'
import { stageOf } from '../error.ts'
import { messageOf } from '../sessions/message-of.ts'

export { messageOf } from '../sessions/message-of.ts'

/** What each stage of a dial means to whoever runs the client. */
const advice: Readonly<Record<DialStage, string>> = {
  argument: 'check the arguments in the bridge line',
  dns: 'the name of the bridge could not be resolved',
  connect: 'the bridge may be down, its address wrong, or the way to it blocked',
  local:
    'this machine has no way there: it has no network or no IPv6, no free file descriptor, or a rule of its own forbids it',
  proxy: 'the upstream proxy in TOR_PT_PROXY could not be used',
  timeout: 'the bridge may be down, speak another transport, or be blocked',
  closed: 'the bridge hung up: the bridge line may be wrong or old, or the connection is interfered with',
  mark: 'what answered does not speak this transport with the keys of the bridge line',
  mac: 'the answer was changed on its way, or is not of the bridge in the bridge line',
  hour: 'the clock of this machine, or that of the bridge, is wrong',
  auth: 'what answered does not hold the key in the bridge line',
}

/** One sentence on a failed dial: stage, the error's own words, advice. */
export function explain(error: unknown): string {
  const stage = stageOf(error)
  const what = messageOf(error)
  return stage === undefined ? what : `${what} (${stage}: ${advice[stage]})`
}
