/** Mistakes in the command line, and the options that every command has. */
import type { ParseArgsConfig } from 'node:util'
import { parseArgs } from 'node:util'

/** The exit status after a UsageError. */
export const USAGE = 2

/** The last line of help of the commands that run tunnels. */
export const EXIT_STATUS =
  'Exit status: 0 after SIGINT or SIGTERM, 1 if a tunnel failed, 2 for a wrong command line or file.\n'

/** A command line that cannot be run; the message says what to do instead. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError'
}

/** True for a UsageError. It goes by name and not by class: the bundle of `postern pt` has a copy of this module, and the other commands have theirs. */
export function isUsageError(error: unknown): boolean {
  return error instanceof Error && error.name === 'UsageError'
}

type Parsed<Config extends ParseArgsConfig> = ReturnType<typeof parseArgs<Config>>

/** Calls node:util's parseArgs, whose errors become UsageErrors of one sentence. */
export function parseArguments<Config extends ParseArgsConfig>(config: Config): Parsed<Config> {
  try {
    return parseArgs(config)
  } catch (error) {
    const [sentence] = (error as Error).message.split(/\. (?=To specify|Did you)|\n/)
    throw new UsageError(sentence)
  }
}

/** `- obfs4 …`, a line out of a list, is no option; with a space before it parseArgs does not take it for one. */
export function protectLines(argv: readonly string[]): string[] {
  return argv.map((arg) => (/^-+\s/.test(arg) ? ` ${arg}` : arg))
}
