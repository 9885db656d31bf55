/**
 * What a parent tells the application about its PT, as it happens: one union, one callback.
 */
import type { PtError } from '../error.ts'
import { throwLater } from '../io/wait/throw-later.ts'
import type { Args, Message, Severity } from '../ipc/index.ts'

/** How a process ended: an exit status, or the signal that ended it. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** Texts are the PT's own and unchecked: they may hold addresses, and belong into no log on disk as they are (ANON-1). */
export type PtEvent =
  /** `environment` is what the PT was told: its TOR_PT_ variables, a proxy's password among them. */
  | {
      readonly type: 'launching'
      readonly program: string
      readonly pid: number
      readonly environment: Readonly<Record<string, string>>
    }
  /** Every line of stdout, unknown keywords included; `message` is undefined if a LOG or STATUS is malformed. */
  | { readonly type: 'line'; readonly line: string; readonly message: Message | undefined }
  | { readonly type: 'log'; readonly severity: Severity; readonly message: string }
  /** `args` is the whole line; `transport` is its TRANSPORT, if it has one (STATUS-2). */
  | { readonly type: 'status'; readonly transport: string | undefined; readonly args: Args }
  /** `STATUS TYPE=version`, after its status event. */
  | { readonly type: 'version'; readonly implementation: string; readonly version: string }
  /** The PT did something odd that was put up with. */
  | { readonly type: 'warning'; readonly message: string }
  | { readonly type: 'stderr'; readonly line: string }
  /** The transports that can be used from now on, and why the others cannot. */
  | { readonly type: 'ready'; readonly transports: readonly string[]; readonly failures: ReadonlyMap<string, string> }
  | ({ readonly type: 'exit' } & Exit)
  /** The PT has ended and is started again in `delay` milliseconds; `attempt` counts the ends in a row, from 1. */
  | { readonly type: 'restarting'; readonly attempt: number; readonly delay: number; readonly error: PtError }
  /** The PT has ended and is not started again. */
  | { readonly type: 'gaveUp'; readonly error: PtError }
  | ({ readonly type: 'stopped' } & Exit)
  /** The program could not be ended and still runs: PT_UNSTOPPABLE. */
  | { readonly type: 'unstoppable'; readonly pid: number; readonly error: PtError }

/** A function that is told of everything that a PT does. */
export type OnEvent = (event: PtEvent) => void

/** Wraps `onEvent` so that what it throws ends no tunnel, and still becomes an uncaught exception of the application. */
export function guarded(onEvent: OnEvent | undefined): OnEvent {
  return (event) => {
    try {
      onEvent?.(event)
    } catch (error) {
      throwLater(error)
    }
  }
}
