/**
 * What the arguments of a transport may be. Each transport has a file `arguments.ts` that says it once: dial, server options, lint, the
 * command line and docs/arguments.md all ask that file.
 */
import { PtError } from '../error.ts'
import type { Args, ArgumentFinding } from '../ipc/index.ts'
import { formatFinding, nearestName } from '../ipc/index.ts'

/** `client`: the arguments of a bridge line. `server`: the options of a bridge. */
export type ArgumentRole = 'client' | 'server'

/** One argument, as docs/arguments.md describes it. */
export interface ArgumentRow {
  readonly role: ArgumentRole
  readonly key: string
  /** When it has to be there. */
  readonly needed: string
  readonly form: string
  readonly meaning: string
}

/** The arguments of a transport. */
export interface TransportArguments {
  readonly rows: readonly ArgumentRow[]
  /** Everything that can be said about `args` without a connection. */
  readonly check: (args: Args, role: ArgumentRole) => readonly ArgumentFinding[]
}

/** The keys that a role of the transport knows. */
export function keysOf(rows: readonly ArgumentRow[], role: ArgumentRole): string[] {
  return rows.filter((row) => row.role === role).map(({ key }) => key)
}

const MISSING = 'it is missing'
const UNSUPPORTED = 'it is not supported'

/** PT_ARGS, stage `argument`. `why` is a sentence about the value that begins with "it" and does not repeat it. */
export class ArgumentError extends PtError {
  readonly key: string
  readonly why: string

  constructor(key: string, why: string = MISSING) {
    super('PT_ARGS', formatFinding({ key, message: why }), { stage: 'argument' })
    this.key = key
    this.why = why
  }
}

/** Makes the error for a key that the transport knows and cannot serve. */
export function unsupported(key: string): ArgumentError {
  return new ArgumentError(key, UNSUPPORTED)
}

/** An `error` for each of `reads` that throws an ArgumentError. */
export function faultsOf(...reads: readonly (() => unknown)[]): ArgumentFinding[] {
  return reads.flatMap((read) => {
    try {
      read()
      return []
    } catch (error) {
      if (!(error instanceof ArgumentError)) throw error
      return [{ severity: 'error' as const, key: error.key, message: error.why }]
    }
  })
}

export function warning(key: string, message: string): ArgumentFinding {
  return { severity: 'warning', key, message }
}

/** A warning for each key that the transport does not know, and therefore ignores. */
export function unknownKeys(args: Args, transport: string, known: readonly string[]): ArgumentFinding[] {
  const keys = new Set([...args].map(([key]) => key).filter((key) => !known.includes(key)))
  return [...keys].map((key) => {
    const meant = nearestName(key.replaceAll('_', '-'), known)
    return warning(key, `${transport} has no argument of this name${meant === undefined ? '' : `; is ${meant} meant?`}`)
  })
}
