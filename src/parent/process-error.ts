/**
 * The error of a PT that could not be used or has ended: a PtError with all that was seen of the process.
 */
import type { PtErrorCode, PtErrorOptions } from '../error.ts'
import { PtError } from '../error.ts'
import type { Exit } from './events.ts'

/** What the PT wrote is scrubbed; the events `line` and `stderr` have it as it came. */
export interface ProcessTraces {
  /** How the process ended; undefined if it still runs. */
  readonly exit: Exit | undefined
  /** The last lines of stdout, shortened. */
  readonly lines: readonly string[]
  /** The end of stderr, at most 16 KiB. */
  readonly stderr: string
  /** For each requested transport that is not there, why, as far as the PT said it. */
  readonly failures: ReadonlyMap<string, string>
}

/** The error of a PT that could not be used or that has ended. `isPtError` holds for it as for every PtError. */
export class PtProcessError extends PtError implements ProcessTraces {
  readonly exit: Exit | undefined
  readonly lines: readonly string[]
  readonly stderr: string
  readonly failures: ReadonlyMap<string, string>

  constructor(code: PtErrorCode, message: string, traces: ProcessTraces, options?: PtErrorOptions) {
    super(code, message, options)
    this.exit = traces.exit
    this.lines = traces.lines
    this.stderr = traces.stderr
    this.failures = traces.failures
  }
}

/** Writes `exit status 1` or `SIGKILL`, for a message. */
export function formatExit({ code, signal }: Exit): string {
  return signal ?? `exit status ${code}`
}

/** Writes `; obfs4: port in use; obfs3: the PT does not know it`, or nothing. */
export function formatFailures(failures: ReadonlyMap<string, string>): string {
  return [...failures].map(([name, reason]) => `; ${name}: ${reason === '' ? 'no reason given' : reason}`).join('')
}
