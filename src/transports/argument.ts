/** An argument that a transport cannot use: an error for whoever dials with it, and a finding for whoever asks before. */
import { PtError } from '../error.ts'
import type { Args } from '../ipc/index.ts'
import { nearestName } from '../ipc/index.ts'

/** What is to be said of one argument, in words that repeat no value. */
export interface ArgumentFinding {
  /** `error`: nothing can come of it. `warning`: we take it, and others may not, or it is not what was meant. */
  readonly severity: 'error' | 'warning'
  readonly key: string
  readonly message: string
}

const MISSING = 'it is missing'
const UNSUPPORTED = 'it is not supported'

/** PT_ARGS, stage `argument`. `why` is a sentence about the value that begins with "it" and does not repeat it. */
export class ArgumentError extends PtError {
  readonly key: string
  readonly why: string

  constructor(key: string, why: string = MISSING) {
    super('PT_ARGS', sentence(key, why), { stage: 'argument' })
    this.key = key
    this.why = why
  }
}

/** For a key that the transport knows and cannot serve. */
export function unsupported(key: string): ArgumentError {
  return new ArgumentError(key, UNSUPPORTED)
}

function sentence(key: string, why: string): string {
  if (why === MISSING) return `missing argument '${key}'`
  return why === UNSUPPORTED ? `unsupported argument '${key}'` : `malformed argument '${key}': ${why}`
}

/** The fault for which each of these throws, if it does. */
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

/** A warning for each key that the transport does not know, and so passes over. */
export function unknownKeys(args: Args, transport: string, known: readonly string[]): ArgumentFinding[] {
  const keys = new Set([...args].map(([key]) => key).filter((key) => !known.includes(key)))
  return [...keys].map((key) => {
    const meant = nearestName(key.replaceAll('_', '-'), known)
    return warning(key, `${transport} has no argument of this name${meant === undefined ? '' : `; is ${meant} meant?`}`)
  })
}
