/**
 * A tunnel as it was asked for, on the command line or in a file: all its values, each checked by itself (schema/) and here together
 * with the others, before anything is started.
 */
import type { BridgeLine, Forward } from '../../app/index.ts'
import { Args, isLoopback } from '../../ipc/index.ts'
import { checkArguments } from '../../transports/arguments.ts'
import { profileOfAnother, whyNotBuiltIn } from './exec.ts'
import type { Naming } from './schema/naming.ts'
import { OptionMistake } from './schema/naming.ts'
import type { ClientValues, ServerValues } from './schema/tunnel-options.ts'
import { servable } from './servable.ts'
import { defaultStateDir } from './state-home.ts'

export interface ClientSpec extends Omit<ClientValues, 'bridges' | 'file' | 'proxyFile'> {
  readonly kind: 'client'
  readonly name: string
  readonly bridges: readonly BridgeLine[]
}

export interface ServerSpec extends Omit<ServerValues, 'forward' | 'allow' | 'optionFile' | 'stateDir'> {
  readonly kind: 'server'
  readonly name: string
  readonly forward: Forward
  readonly stateDir: string
}

export type TunnelSpec = ClientSpec | ServerSpec

/** A client, and a sentence for each bridge line that is passed over. Throws OptionMistake. */
export function clientSpec(
  name: string,
  values: ClientValues,
  naming: Naming,
): { readonly spec: ClientSpec; readonly passedOver: readonly string[] } {
  const { bridges: typed = [], file = [], proxyFile, ...rest } = values
  if (rest.proxy !== undefined && proxyFile !== undefined) {
    throw new OptionMistake('proxyFile', `one of ${naming.of('proxy')} and ${naming.of('proxyFile')} is enough`)
  }
  requireBuiltIn(values, naming)
  if (rest.exec !== undefined && rest.profile !== undefined) throw new OptionMistake('profile', profileOfAnother)
  if (!rest.expose && !isLoopback(rest.listen.host)) {
    const way = `listen on 127.0.0.1 or [::1], or allow it with ${naming.of('expose')}`
    throw new OptionMistake('listen', `the port would be open to other machines; ${way}`)
  }
  const { bridges, passedOver } = servable([...typed, ...file], rest.exec, naming)
  return { spec: { kind: 'client', name, ...rest, proxy: rest.proxy ?? proxyFile, bridges }, passedOver }
}

/**
 * A server. `stateName` is the name of its folder below the place for state, if it is not given one. Throws
 * OptionMistake, and UsageError if there is no place for state.
 */
export function serverSpec(name: string, values: ServerValues, naming: Naming, stateName: string): ServerSpec {
  const { forward: target, allow, optionFile, stateDir, ...rest } = values
  const options = { ...optionFile, ...rest.options }
  requireBuiltIn(values, naming)
  if (rest.exec === undefined) {
    const why = whyNotBuiltIn(rest.transport, naming.of('exec'))
    if (why !== undefined) throw new OptionMistake('transport', why)
  }
  // Another program may know more options; ours would pass over a mistyped one without a word.
  const wrong = checkArguments(rest.transport, Args.from(options), 'server')?.find(
    ({ severity }) => severity === 'error' || rest.exec === undefined,
  )
  if (wrong !== undefined) throw new OptionMistake('options', `${wrong.key}: ${wrong.message}`)
  return {
    kind: 'server',
    name,
    ...rest,
    options,
    forward: forwardOf(target, allow),
    stateDir: stateDir ?? defaultStateDir(stateName, naming.of('stateDir')),
  }
}

function forwardOf(target: ServerValues['forward'], allow: ServerValues['allow']): Forward {
  const some = allow !== undefined && allow.rules.length > 0
  if (target !== 'socks') {
    if (some) throw new OptionMistake('allow', 'it is for a forward of socks only')
    return { type: 'address', target }
  }
  if (some) return { type: 'socks', allow }
  const examples = 'such as example.com:443 or *:443'
  throw new OptionMistake('allow', `a SOCKS server needs at least one rule for its targets, ${examples}`)
}

/** The options that another program of `exec` does not have. */
function requireBuiltIn({ exec, halfOpen, isolate }: ClientValues | ServerValues, naming: Naming): void {
  if (exec === undefined) return
  if (halfOpen) throw new OptionMistake('halfOpen', 'it is for the built-in transports; no other PT can do it')
  const why = `the program of ${naming.of('exec')} has a process of its own already`
  if (isolate) throw new OptionMistake('isolate', why)
}
