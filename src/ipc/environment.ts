/**
 * The environment of both roles: reading it as a PT. Section "Common Environment Variables".
 *
 *     TOR_PT_MANAGED_TRANSPORT_VER=1          TOR_PT_STATE_LOCATION=/var/lib/tor/pt_state/
 *     TOR_PT_EXIT_ON_STDIN_CLOSE=1            TOR_PT_CLIENT_TRANSPORTS or TOR_PT_SERVER_TRANSPORTS
 *
 * An empty variable counts as unset, except the two transport lists: whichever is set at all chooses the role (ARCH-1).
 */
import { isAbsolute } from 'node:path'
import { PtError } from '../error.ts'
import { formatLine, quoted, toAscii } from './line.ts'
import { parseNames } from './name.ts'
import { formatVersions, negotiateVersion, VERSION } from './version.ts'

/** Environment variables as plain values, as in process.env. */
export type Environment = Readonly<Record<string, string | undefined>>

/** The prefix of every variable of the IPC. */
export const PREFIX = 'TOR_PT_'

/** What both roles are told. */
export interface CommonEnvironment {
  /** As the parent wrote it: an absolute path, or a relative one of a parent that breaks ENV-4. It need not exist yet (ENV-5). */
  readonly stateDir: string
  /** True only for the exact value `1` (ENV-7). */
  readonly exitOnStdinClose: boolean
}

/**
 * Returns the version to answer with. It is read before anything else is (FLOW-2). Throws PT_VERSION with its VERSION-ERROR line,
 * or PT_ENV if the variable is missing.
 */
export function readVersion(env: Environment): typeof VERSION {
  const list = env['TOR_PT_MANAGED_TRANSPORT_VER']
  if (!list) throw envError('TOR_PT_MANAGED_TRANSPORT_VER', 'is not set: this program is started by a parent process')
  const version = negotiateVersion(list)
  if (version !== undefined) return version
  // The historical text is the only one that C tor recognizes (VER-2).
  const line = formatLine('VERSION-ERROR', 'no-version').trimEnd()
  const message = `the parent supports versions ${quoted(list)}, and this PT speaks version ${VERSION}`
  throw new PtError('PT_VERSION', message, { line })
}

/** Returns the one role of this invocation (ARCH-1). A list that is set but empty counts as set. Throws PT_ENV. */
export function readRole(env: Environment): 'client' | 'server' {
  const client = env['TOR_PT_CLIENT_TRANSPORTS'] !== undefined
  const server = env['TOR_PT_SERVER_TRANSPORTS'] !== undefined
  if (client && server) {
    throw envError(
      'TOR_PT_CLIENT_TRANSPORTS',
      'and TOR_PT_SERVER_TRANSPORTS are both set: a PT is a client or a server',
    )
  }
  if (client) return 'client'
  if (server) return 'server'
  throw envError(
    'TOR_PT_CLIENT_TRANSPORTS',
    'and TOR_PT_SERVER_TRANSPORTS are both unset: one names the transports to run',
  )
}

export function readCommon(env: Environment): CommonEnvironment {
  const stateDir = env['TOR_PT_STATE_LOCATION']
  if (!stateDir) throw envError('TOR_PT_STATE_LOCATION', 'is not set')
  return { stateDir, exitOnStdinClose: env['TOR_PT_EXIT_ON_STDIN_CLOSE'] === '1' }
}

/** Reads the names of a transport list. Throws PT_ENV for an empty list. */
export function readNames(env: Environment, variable: string): string[] {
  const names = parseNames(env[variable] ?? '')
  if (names.length === 0) throw envError(variable, 'names no transport')
  return names
}

/** Writes what every parent sets (ENV-1, ENV-4, STOP-1). */
export function formatCommon(stateDir: string, versions: readonly string[] = [VERSION]): Record<string, string> {
  if (!isAbsolute(stateDir)) {
    throw new PtError('PT_ENV', `TOR_PT_STATE_LOCATION: ${quoted(stateDir)} is no absolute path`)
  }
  return {
    TOR_PT_MANAGED_TRANSPORT_VER: formatVersions(versions),
    TOR_PT_STATE_LOCATION: stateDir,
    TOR_PT_EXIT_ON_STDIN_CLOSE: '1',
  }
}

/** Returns `env` without its TOR_PT_ variables: what a parent may hand on of its own environment (CENV-5). */
export function withoutPtVariables(env: Environment): Record<string, string> {
  const entries = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return Object.fromEntries(entries.filter(([name]) => !name.toUpperCase().startsWith(PREFIX)))
}

/** Makes a PT_ENV with its ENV-ERROR line: the variable, and what is wrong with it (ERR-1). */
export function envError(variable: string, why: string, cause?: unknown): PtError {
  const message = `${variable} ${why}`
  return new PtError('PT_ENV', message, { cause, line: formatLine('ENV-ERROR', toAscii(message)).trimEnd() })
}
