/** What a PT hands to a transport at its launch, for tests that launch one by themselves. */
import type { Duplex } from 'node:stream'
import { replaysInMemory } from '../src/sessions/replays.ts'
import type { Accepted, ClientOptions, Report, ServerOptions } from '../src/transport.ts'

const silent: Report = { log: () => undefined, status: () => undefined }

/** Options for client(): its connections fail, unless the test gives it a `connect`. */
export function clientOptions(given: Partial<ClientOptions> & { readonly stateDir: string }): ClientOptions {
  return { connect: () => Promise.reject(new Error('this test connects to nothing')), ...silent, ...given }
}

/** Options for server(): a table of replays in memory, and sessions that nothing takes. */
export function serverOptions(given: Partial<ServerOptions> & Pick<ServerOptions, 'stateDir' | 'args'>): ServerOptions {
  return { deliver: (stream) => void stream.destroy(), replays: replaysInMemory(), ...silent, ...given }
}

/** The stream of an accepted connection. */
export function streamOf(accepted: Duplex | Accepted | undefined): Duplex {
  if (accepted === undefined) throw new TypeError('the connection belongs to a session')
  return 'stream' in accepted ? accepted.stream : accepted
}
