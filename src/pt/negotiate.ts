/**
 * From the environment to a configuration, in the draft's order. Sections "Workflow" (steps 2 to 4), "Common Messages".
 *
 *     TOR_PT_MANAGED_TRANSPORT_VER ── VERSION 1 | VERSION-ERROR no-version
 *     every other variable ────────── nothing   | LOG SEVERITY=error …, ENV-ERROR <message>
 *     TOR_PT_PROXY (client) ───────── PROXY DONE (or nothing, if there is none)    | PROXY-ERROR <message>
 */
import { isAbsolute, resolve } from 'node:path'
import { isPtError, messageOf } from '../error.ts'
import type { ClientEnvironment, Environment, ProxyUri, ServerEnvironment } from '../ipc/index.ts'
import {
  readClientEnvironment,
  readProxy,
  readRole,
  readServerEnvironment,
  readVersion,
  toAscii,
  versionStatus,
} from '../ipc/index.ts'
import type { Reporter } from './report.ts'
import { makeStateDir } from './state-dir.ts'

/** The program, as `STATUS TYPE=version` names it. */
export interface Implementation {
  readonly name: string
  readonly version: string
}

/** What the parent asked for: one role, never both (ARCH-1). */
export type Configuration =
  | { readonly role: 'client'; readonly env: ClientEnvironment; readonly proxy: ProxyUri | undefined }
  | { readonly role: 'server'; readonly env: ServerEnvironment }

/** Answers the version, before anything else is read (FLOW-2). Throws PT_VERSION, or PT_ENV if none is offered. */
export function negotiateVersion(env: Environment, reporter: Reporter, implementation?: Implementation): void {
  reporter.say({ type: 'version', version: readVersion(env) })
  if (implementation !== undefined) reporter.say(versionStatus(implementation.name, implementation.version))
}

/** Reads the rest, makes the state directory and answers the proxy. Throws PT_ENV and PT_PROXY_URI. */
export function configure(env: Environment, reporter: Reporter): Configuration {
  if (readRole(env) === 'server') {
    const given = readServerEnvironment(env)
    const { destination } = given
    const server: ServerEnvironment = {
      ...given,
      stateDir: absolute('TOR_PT_STATE_LOCATION', given.stateDir, reporter),
      destination:
        destination.type === 'orPort'
          ? destination
          : { ...destination, cookieFile: absolute('TOR_PT_AUTH_COOKIE_FILE', destination.cookieFile, reporter) },
    }
    prepareStateDir(server.stateDir, 'server', reporter)
    return { role: 'server', env: server }
  }
  const given = readClientEnvironment(env)
  const client = { ...given, stateDir: absolute('TOR_PT_STATE_LOCATION', given.stateDir, reporter) }
  prepareStateDir(client.stateDir, 'client', reporter)
  const proxy = readProxy(env)
  if (proxy !== undefined) reporter.say({ type: 'proxyDone' })
  return { role: 'client', env: client, proxy }
}

function prepareStateDir(path: string, role: 'client' | 'server', reporter: Reporter): void {
  const why = makeStateDir(path, role)
  if (why !== undefined) reporter.log(role === 'server' ? 'warning' : 'notice', `TOR_PT_STATE_LOCATION ${why}`)
}

/** tor hands a relative DataDirectory on as it is (ENV-4, SENV-13), and means it relative to the directory that it runs in. */
function absolute(variable: string, path: string, reporter: Reporter): string {
  if (isAbsolute(path)) return path
  reporter.log('warning', `${variable} is a relative path, and is taken from the working directory`)
  return resolve(path)
}

/**
 * Says the error that ends the PT: the line that it carries, or ENV-ERROR with its message. C tor logs the text of an
 * ENV-ERROR that comes before VERSION and loses one that comes after it, so there a LOG line goes first. Parents log both, so
 * neither holds an address (ANON-4).
 */
export function sayFatal(reporter: Reporter, error: unknown, afterVersion: boolean): void {
  const message = messageOf(error)
  if (afterVersion && !isPtError(error, 'PT_PROXY_URI')) reporter.lastWords(message)
  const line = isPtError(error) ? error.line : undefined
  if (line === undefined) reporter.say({ type: 'envError', message: reporter.clean(message) })
  else reporter.say({ type: 'unknown', line: toAscii(reporter.clean(line)) })
}
