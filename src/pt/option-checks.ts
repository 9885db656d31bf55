/** The values that the options of runPt may have. The compiler wants a row for every option. */
import { severities } from '../ipc/index.ts'
import type { Check, Checks } from '../options.ts'
import {
  aBoolean,
  aFunction,
  aString,
  anObject,
  either,
  expecting,
  listOf,
  milliseconds,
  oneOf,
  optional,
  tableOf,
  wholeNumber,
} from '../options.ts'
import type { PtOptions } from './main.ts'
import type { Implementation } from './negotiate.ts'

const implementation: Checks<Implementation> = { name: aString, version: aString }

/** Their names are checked later, in the registry, like the names of those that a function gives. */
const someTransports: Check = either(
  'a list of transports, or a function that gives one',
  aFunction,
  listOf(anObject, ''),
)

export const ptChecks: Checks<PtOptions> = {
  transports: someTransports,
  implementation: optional(tableOf(implementation)),
  socksVersion: optional(expecting('4 or 5', (value) => value === 4 || value === 5)),
  unsafeLogging: optional(aBoolean),
  halfOpen: optional(aBoolean),
  logLevel: optional(oneOf(...severities)),
  onLaunched: optional(aFunction),
  drainTimeout: optional(milliseconds(0)),
  interruptTimeout: optional(milliseconds(0)),
  launchTimeout: optional(milliseconds(1)),
  socksTimeout: optional(milliseconds(1)),
  dialTimeout: optional(milliseconds(1)),
  acceptTimeout: optional(milliseconds(1)),
  sessionIdleTimeout: optional(milliseconds(1)),
  replays: optional(aFunction),
  maxConnections: optional(wholeNumber(1)),
  maxSilent: optional(wholeNumber(1)),
}
