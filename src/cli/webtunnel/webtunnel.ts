/** `postern webtunnel`: what an operator of a bridge of webtunnel needs beside the bridge itself. docs/webtunnel.md is the guide. */
import { nearestName } from '../../ipc/index.ts'
import { helpOf } from '../tunnels/schema/help.ts'
import { yes } from '../tunnels/schema/kinds.ts'
import type { Options } from '../tunnels/schema/option.ts'
import { flagOf, withDefault } from '../tunnels/schema/option.ts'
import type { Given } from '../tunnels/schema/read.ts'
import { flagConfig } from '../tunnels/schema/read.ts'
import { parseArguments, UsageError } from '../usage.ts'
import { frontOptions, printFront } from './front.ts'
import { lineOptions, printLine } from './line.ts'
import { printUrl } from './url.ts'

const usage = `Usage: postern webtunnel url HOST[:PORT]
       postern webtunnel front nginx|caddy|haproxy --option-file FILE [options]
       postern webtunnel line --option-file FILE [--fingerprint HEX]

url makes an option with a new secret path, for --option-file of this command and of postern server webtunnel. front prints the
configuration of the web server in front of the bridge, which has the certificate and the host's usual pages. line prints the
bridge line, for a bridge that tor runs.

  (umask 077; postern webtunnel url bridge.example > webtunnel.options)
  postern webtunnel front nginx --option-file webtunnel.options
  postern server webtunnel --listen 127.0.0.1:15000 --forward 127.0.0.1:22 --option-file webtunnel.options

Options from listen on are for front, fingerprint is for line.
`

const exitStatus = 'Exit status: 0, or 2 for a wrong command line.\n'

interface Action {
  readonly options: Options
  print(words: readonly string[], given: Given): void
}

const actionsByName: Readonly<Record<string, Action>> = {
  url: { options: {}, print: printUrl },
  front: { options: frontOptions, print: printFront },
  line: { options: lineOptions, print: printLine },
}

export const actions: readonly string[] = Object.keys(actionsByName)

export const options: Options = { ...frontOptions, ...lineOptions, help: withDefault(yes, false, '', '') }

/** Returns the exit status. Throws UsageError. */
export async function run(argv: readonly string[]): Promise<number> {
  const config = { args: [...argv], options: flagConfig(options), allowPositionals: true } as const
  const { values: given, positionals } = parseArguments(config)
  if (given['help'] === true) {
    process.stdout.write(helpOf({ options, usage, exitStatus }))
    return 0
  }
  const [name, ...words] = positionals
  const action = name !== undefined && Object.hasOwn(actionsByName, name) ? actionsByName[name] : undefined
  if (action === undefined) throw new UsageError(`webtunnel: ${whatIsMeant(name)}`)
  const own = new Set(Object.entries(action.options).map(([property, option]) => flagOf(property, option)))
  const foreign = Object.keys(given).find((flag) => !own.has(flag))
  if (foreign !== undefined) throw new UsageError(`--${foreign}: webtunnel ${name} has no use for it`)
  action.print(words, given)
  return 0
}

function whatIsMeant(name: string | undefined): string {
  if (name === undefined) return `expected ${actions.join(', ')}`
  const meant = nearestName(name, actions)
  return `there is no ${name}${meant === undefined ? '' : `; is ${meant} meant?`}`
}
