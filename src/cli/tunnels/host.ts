/**
 * The process of `client`, `server` and `run`, from its start to its last signal.
 *
 *     SIGINT, SIGTERM    drain, end; a second one ends at once
 *     SIGHUP             reads the file again, if there is one; else as SIGTERM, as it comes from a closed terminal
 */
import { messageOf } from '../../error.ts'
import { tuneEngine } from '../engine.ts'
import { atFirstSignal } from '../signals.ts'
import type { TunnelOutput } from './output.ts'
import type { Plan } from './tunnel-host.ts'
import { TunnelHost } from './tunnel-host.ts'

export interface HostOptions {
  readonly output: TunnelOutput
  /** The plan of a file that has changed. Throws an Error with what is wrong in it. */
  readonly reload?: (() => Plan) | undefined
}

/** Runs the tunnels until a signal, or until none is left. Resolves with the exit status; rejects if they do not start. */
export async function hostTunnels(plan: Plan, { output, reload }: HostOptions): Promise<number> {
  tuneEngine()
  watchForFaults(output)
  const host = new TunnelHost(output)
  const stop = new Promise<void>((resolve) => {
    atFirstSignal(reload === undefined ? ['SIGINT', 'SIGTERM', 'SIGHUP'] : ['SIGINT', 'SIGTERM'], () => resolve())
  })
  try {
    if (reload !== undefined) process.on('SIGHUP', () => void host.reload(reload))
    const started = host.start(plan).then(() => host.deserted)
    const status = await Promise.race([stop.then(() => 0), started])
    output.say('stopping', status === 0 ? 'connections have a moment to end' : 'no tunnel is left')
    return status
  } finally {
    await host.close()
    await output.close()
  }
}

/**
 * A transport runs in this process, so an exception that nothing caught broke off in code that all connections share: the process ends,
 * because one that goes on might give the bytes of one connection to another. What Node would print of it could hold addresses. A
 * promise that nothing waited for belongs to one connection, and the others go on.
 */
function watchForFaults(output: TunnelOutput): void {
  process.on('uncaughtException', (error) => void endAfter(error, output))
  process.on('unhandledRejection', (error) => output.say('internal-error', messageOf(error)))
}

async function endAfter(error: unknown, output: TunnelOutput): Promise<never> {
  output.say('internal-error', messageOf(error))
  await output.close()
  process.exit(1)
}
