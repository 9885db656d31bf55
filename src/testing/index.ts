/**
 * The compliance suite for transports, for any test runner:
 *
 *     for (const { name, run } of transportCases(myTransport)) test(name, run)
 */
import { checkArgument, checkOptions } from '../options.ts'
import type { Transport } from '../transport.ts'
import type { TransportCase } from './case.ts'
import { failureCases } from './failure.ts'
import { hygieneCases } from './hygiene.ts'
import { launchCases } from './launch.ts'
import { sessionCases } from './sessions.ts'
import type { CaseOptions } from './settings.ts'
import { aTransport, caseChecks, settingsOf } from './settings.ts'
import { streamCases } from './stream.ts'

export type { TransportCase } from './case.ts'
export type { CaseOptions } from './settings.ts'

/**
 * What every transport has to keep, as independent cases over real loopback sockets. An exception that a transport
 * throws outside the listeners of its connection, and a rejection that it leaves alone, are for the runner to catch.
 */
export function transportCases(transport: Transport, options: CaseOptions = {}): TransportCase[] {
  checkArgument('transportCases', 'transport', transport, aTransport)
  checkOptions('transportCases', options, caseChecks)
  const settings = settingsOf(options)
  const all = [launchCases, streamCases, failureCases, sessionCases, hygieneCases]
  return all.flatMap((cases) => cases(transport, settings))
}
