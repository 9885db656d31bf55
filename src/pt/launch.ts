/**
 * Launching transports and saying how each went. Sections "Client Messages" and "Server Messages".
 *
 *     CMETHOD or SMETHOD … │ CMETHOD-ERROR or SMETHOD-ERROR <transport> <message>      for each, in the order asked for
 *     CMETHODS DONE or SMETHODS DONE                                                   once, last (CM-3, SM-6)
 */
import type { Server } from 'node:net'
import { PtError } from '../error.ts'
import type { Message } from '../ipc/index.ts'
import { messageOf } from './failure.ts'
import type { Reporter } from './report.ts'

/**
 * How long one transport may take, in ms. C tor waits for ever, and other transports would wait with it. But tor asks only
 * once, so a machine that is busy with its own start, or a slow disk to sync a key to, must not use it up.
 */
const LAUNCH_TIMEOUT = 60_000

/** A listener that accepts, and the line that says so. */
export interface Launched {
  readonly listener: Server
  readonly message: Message
}

export interface LaunchOptions<Entry> {
  readonly method: 'cmethod' | 'smethod'
  readonly entries: readonly Entry[]
  readonly reporter: Reporter
  readonly launchTimeout?: number | undefined
  /** What no message about this entry may hold. */
  readonly secretsOf?: (entry: Entry) => readonly string[]
  /** `abandoned` tells that the time is over: what is launched then is of no use any more. */
  readonly launch: (entry: Entry, abandoned: () => boolean) => Promise<Launched>
}

/** Launches all at the same time and reports each in order. Resolves with the listeners of those that succeeded. */
export async function launchAll<Entry extends { readonly name: string }>(
  options: LaunchOptions<Entry>,
): Promise<Server[]> {
  const { method, entries, reporter } = options
  const attempts = entries.map((entry) => ({ entry, outcome: outcomeOf(options, entry) }))
  const listeners: Server[] = []
  for (const { entry, outcome } of attempts) {
    const launched = await outcome
    try {
      if (launched instanceof Error) throw launched
      reporter.say(launched.message)
      listeners.push(launched.listener)
    } catch (error) {
      // ARGS that no line can carry fail here: without its SMETHOD the listener is nobody's.
      if (!(launched instanceof Error)) launched.listener.close()
      const message = reporter.clean(messageOf(error), options.secretsOf?.(entry))
      reporter.say({ type: `${method}Error`, transport: entry.name, message })
    }
  }
  reporter.say({ type: `${method}sDone` })
  return listeners
}

async function outcomeOf<Entry extends { readonly name: string }>(
  { launch, launchTimeout = LAUNCH_TIMEOUT }: LaunchOptions<Entry>,
  entry: Entry,
): Promise<Launched | Error> {
  let timer: NodeJS.Timeout | undefined
  let abandoned = false
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      abandoned = true
      reject(new PtError('PT_TIMEOUT', `not launched within ${launchTimeout / 1_000} s`))
    }, launchTimeout)
  })
  try {
    return await Promise.race([launch(entry, () => abandoned), late])
  } catch (error) {
    return error instanceof Error ? error : new Error(messageOf(error))
  } finally {
    clearTimeout(timer)
  }
}
