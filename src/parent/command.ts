/**
 * The program of a PT and its arguments, and what to say if it cannot be started.
 */
import { basename } from 'node:path'
import { PtError } from '../error.ts'

export interface Command {
  readonly program: string
  readonly args: readonly string[]
  /** The program without its folder, for messages. */
  readonly name: string
}

/** `exec` is a program, found in PATH if it has no slash, or a list of a program and its arguments. Throws PT_EXEC. */
export function parseCommand(exec: string | readonly string[]): Command {
  const [program, ...args] = typeof exec === 'string' ? [exec] : exec
  if (program === undefined || program === '') throw new PtError('PT_EXEC', 'exec names no program')
  return { program, args, name: basename(program) }
}

/** Makes the PT_EXEC for the system's error of a failed start. */
export function cannotStart({ program, args }: Command, error: unknown): PtError {
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown error'
  return new PtError('PT_EXEC', `cannot start ${program}: ${whyNotStarted(code, program, args)}`, { cause: error })
}

function whyNotStarted(code: string, program: string, args: readonly string[]): string {
  if (code === 'EACCES') return 'permission denied; is it a file with its executable bit set (chmod +x)?'
  if (code !== 'ENOENT') return code
  if (program.includes(' ') && args.length === 0) {
    return 'no such program; exec is the program alone, and [program, ...arguments] if it takes arguments'
  }
  if (!/[\\/]/.test(program)) return 'no such program in PATH; install it, or give its absolute path'
  return 'no such file (or, of a script, the program of its #! line is missing)'
}
