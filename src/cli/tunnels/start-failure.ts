/** Why a tunnel, or the metrics, did not start: one sentence, with what mends it. */
import { isPtError, withReported } from '../../error.ts'
import { PtProcessError } from '../../parent/index.ts'
import { UsageError } from '../usage.ts'

/** The error with the name of what failed. Mistakes in a command line are told apart from what went wrong with it. */
export function failedToStart(name: string, error: unknown): Error {
  const message = `${name}: ${whyNotStarted(error)}`
  const mistake = isPtError(error, 'PT_EXEC', 'PT_ADDRESS', 'PT_PROXY_URI', 'PT_BRIDGE_LINE', 'PT_NAME', 'PT_ARGS')
  return mistake ? new UsageError(message) : new Error(message, { cause: error })
}

export function whyNotStarted(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'EADDRINUSE') return 'the address to listen on is in use'
  if (code === 'EACCES') return 'no permission to listen there; ports below 1024 need a privilege'
  if (code === 'EADDRNOTAVAIL') return 'the address to listen on is not one of this machine'
  // The PT's own words about its transport say everything; the user need not know that there is a PT in between.
  if (error instanceof PtProcessError && error.code === 'PT_LAUNCH' && error.failures.size > 0) {
    return [...error.failures].map(([name, reason]) => `${name}: ${reason}`).join('; ')
  }
  return withReported(error as Error)
}
