/** What the commands that run tunnels read alike from their command lines. */
import { readFileSync, statSync } from 'node:fs'
import { UsageError } from '../usage.ts'
import { splitCommand } from './exec.ts'
import { checks, checkTogether, ConflictError } from './spec.ts'
import type { TunnelSpec } from './spec.ts'
import { resolveStateDir } from './state-home.ts'

/** `check(value)`, whose error becomes one of the option `name`. */
export function checked<T>(name: string, value: T, check: (value: T) => unknown): T {
  try {
    check(value)
    return value
  } catch (error) {
    throw new UsageError(`${name}: ${(error as Error).message}`)
  }
}

export function checkedMaybe<T>(name: string, value: T | undefined, check: (value: T) => unknown): T | undefined {
  return value === undefined ? undefined : checked(name, value, check)
}

/** `--exec '/usr/bin/obfs4proxy -enableLogging'` as a list; undefined without it. */
export function execOf(value: string | undefined): readonly string[] | undefined {
  return value === undefined ? undefined : checked('--exec', splitCommand(value), checks.exec)
}

/** A whole number within limits, or `otherwise`. */
export function numberOf(
  name: string,
  value: string | undefined,
  otherwise: number,
  [min, max]: readonly [number, number],
): number {
  if (value === undefined) return otherwise
  if (/^\d{1,9}$/.test(value) && Number(value) >= min && Number(value) <= max) return Number(value)
  throw new UsageError(`${name}: expected a whole number from ${min} to ${max}`)
}

/** An absolute path, as the IPC wants it. */
export function stateDirOf(value: string | undefined): string | undefined {
  return value === undefined ? undefined : resolveStateDir(checked('--state-dir', value, checks.stateDir), '.')
}

/** The first line of a file; a secret does not belong on a command line, which every user of the machine can read. */
export function secretOf(name: string, file: string | undefined): string | undefined {
  if (file === undefined) return undefined
  let text: string
  try {
    text = readFileSync(file, 'utf8')
    tellIfOpenToAll(file)
  } catch (error) {
    throw new UsageError(`${name}: the file cannot be read: ${(error as NodeJS.ErrnoException).code}`)
  }
  return checked(name, text.split(/\r?\n/)[0]!, checks.secret)
}

/** A group may share a secret, but not everybody. Windows has other means, of which the mode says nothing. */
export function tellIfOpenToAll(file: string): void {
  if (process.platform === 'win32' || (statSync(file).mode & 0o006) === 0) return
  process.stderr.write(`postern: every user of this machine can read or change ${file}: chmod 600 it\n`)
}

export function checkSpec<T extends TunnelSpec>(spec: T, flags: Readonly<Record<string, string>>): T {
  try {
    checkTogether(spec, (key) => flags[key] ?? `--${key}`)
    return spec
  } catch (error) {
    if (error instanceof ConflictError) throw new UsageError(error.message)
    throw error
  }
}
