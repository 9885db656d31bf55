/** `postern webtunnel line`: the whole bridge line. `postern server webtunnel` prints its own; tor does not. */
import { formatBridgeLine } from '../../app/index.ts'
import { Args, formatAddress } from '../../ipc/index.ts'
import { argumentsForClients } from '../../transports/webtunnel/arguments.ts'
import { syntheticAddress } from '../../transports/webtunnel/synthetic-address.ts'
import { text } from '../tunnels/schema/kinds.ts'
import type { OptionsOf } from '../tunnels/schema/option.ts'
import { optional } from '../tunnels/schema/option.ts'
import type { Given } from '../tunnels/schema/read.ts'
import { readFlags } from '../tunnels/schema/read.ts'
import { UsageError } from '../usage.ts'
import type { UrlValues } from './values.ts'
import { bridgeOptions, refuseSurplus, urlOptions } from './values.ts'

const command = 'webtunnel line'

interface LineValues extends UrlValues {
  readonly fingerprint: string | undefined
}

export const lineOptions: OptionsOf<LineValues> = {
  ...urlOptions,
  fingerprint: optional(text(fingerprintOf), 'HEX', "the fingerprint of tor's bridge, from the file of this name"),
}

/** Throws UsageError. */
export function printLine(words: readonly string[], given: Given): void {
  refuseSurplus(words)
  const { fingerprint, ...source } = readFlags(command, lineOptions, given)
  const options = bridgeOptions(command, source)
  const line = formatBridgeLine({
    transport: 'webtunnel',
    address: formatAddress(syntheticAddress(options.url)),
    ...(fingerprint === undefined ? {} : { fingerprint }),
    args: argumentsOf(options),
  })
  process.stdout.write(`${line}\n`)
}

/** What clients need of the options. */
function argumentsOf(options: Readonly<Record<string, string>>): Args {
  try {
    return argumentsForClients(Args.from(Object.entries(options)))
  } catch (error) {
    throw new UsageError(`--option-file: ${(error as Error).message}`)
  }
}

function fingerprintOf(hex: string): string {
  const text = hex.replaceAll(' ', '').replace(/^\$/, '').toUpperCase()
  if (/^[0-9A-F]{40}$/.test(text)) return text
  throw new Error('expected 40 hex digits')
}
