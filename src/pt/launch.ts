/**
 * Launching transports and saying how each went. Sections "Client Messages" and "Server Messages".
 *
 *     CMETHOD or SMETHOD … │ CMETHOD-ERROR or SMETHOD-ERROR <transport> <message>      for each, in the order asked for
 *     CMETHODS DONE or SMETHODS DONE                                                   once, last (CM-3, SM-6)
 */
import type { Server } from 'node:net'
import { messageOf, PtError } from '../error.ts'
import type { Message } from '../ipc/index.ts'
import type { Reporter } from './report.ts'

/**
 * How long one transport may take, in ms. C tor waits for ever, and other transports would wait with it. But tor asks only
 * once, so a machine that is busy with its own start, or a slow disk to sync a key to, must not use it up.
 */
const LAUNCH_TIMEOUT = 60_000

/** A listener that accepts, the line that says so, and the end of its transport. */
export interface Launched {
  readonly listener: Server
  readonly message: Message
  /** Ends what the transport keeps beside connections. It takes a limited time and never rejects. */
  close(): Promise<void>
}

export interface LaunchOptions<Entry> {
  readonly method: 'cmethod' | 'smethod'
  readonly entries: readonly Entry[]
  readonly reporter: Reporter
  readonly launchTimeout?: number | undefined
  /** What no message about this entry may contain. */
  readonly secretsOf?: (entry: Entry) => readonly string[]
  /** `abandoned` says that the time is over: what is launched after that is of no use any more. */
  readonly launch: (entry: Entry, abandoned: () => boolean) => Promise<Launched>
}

/** Launches all at the same time and reports each in order. Resolves with those that succeeded. */
export async function launchAll<Entry extends { readonly name: string }>(
  options: LaunchOptions<Entry>,
): Promise<Launched[]> {
  const { method, entries, reporter } = options
  const attempts = entries.map((entry) => ({ entry, outcome: outcomeOf(options, entry) }))
  const all: Launched[] = []
  for (const { entry, outcome } of attempts) {
    const launched = await outcome
    try {
      if (launched instanceof Error) throw launched
      reporter.say(launched.message)
      all.push(launched)
    } catch (error) {
      // ARGS that no line can carry fail here. Without its SMETHOD line no client can find the listener.
      if (!(launched instanceof Error)) {
        launched.listener.close()
        void launched.close()
      }
      const message = reporter.clean(messageOf(error), options.secretsOf?.(entry))
      reporter.say({ type: `${method}Error`, transport: entry.name, message })
    }
  }
  reporter.say({ type: `${method}sDone` })
  return all
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
