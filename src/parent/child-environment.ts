/**
 * The environment of the sub-process: what it inherits, cleaned, and what this parent tells it. Section "Pluggable
 * Transport Configuration Environment Variables".
 *
 *     PATH=/usr/bin  HOME=/home/alice  …      inherited, or the application's own list
 *     TOR_PT_MANAGED_TRANSPORT_VER=1  …       from the options of this launch, and from nowhere else
 */
import { isAbsolute, resolve } from 'node:path'
import { PtError } from '../error.ts'
import type { Environment } from '../ipc/index.ts'
import { PREFIX, toAscii, withoutPtVariables } from '../ipc/index.ts'

/**
 * Adds `own` to what is inherited, which is `given`, or else the environment of this process without its TOR_PT_ variables, as a
 * stale TOR_PT_PROXY would lead every connection astray (CENV-5). `program` is what is started. Throws PT_ENV for a TOR_PT_ variable in `given`, and for
 * a NUL anywhere.
 */
export function childEnvironment(
  own: Readonly<Record<string, string>>,
  given?: Readonly<Record<string, string>>,
  program?: string,
): Record<string, string> {
  for (const name of Object.keys(given ?? {})) {
    if (name.toUpperCase().startsWith(PREFIX)) {
      throw new PtError('PT_ENV', `env holds ${name}: variables of the IPC are set by the options that stand for them`)
    }
  }
  const env = { ...withoutPtVariables(given ?? inherited()), ...asNode(program), ...own }
  const cut = Object.keys(env).find((name) => `${name}${env[name]}`.includes('\0'))
  // The system's own error would repeat the value, which may be a password.
  if (cut !== undefined) throw new PtError('PT_ENV', `${toAscii(cut)} holds a NUL, which no variable can`)
  return env
}

/** Makes a path of the application absolute, as the draft wants it (ENV-4, SENV-13). An absolute or empty path stays as it is. */
export function absolutePath(path: string): string {
  return path === '' || isAbsolute(path) ? path : resolve(path)
}

/** Electron's executable runs a script as Node does only if it is told to; else it would start the application again. */
function asNode(program: string | undefined): Record<string, string> {
  const itself = 'electron' in process.versions && program === process.execPath
  return itself ? { ELECTRON_RUN_AS_NODE: '1' } : {}
}

/** Returns the variables of the IPC alone. */
export function onlyPtVariables(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith(PREFIX)))
}

function inherited(): Environment {
  return process.env
}
