/** `postern pt --load FILE`: the transports of a third party's module. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { messageOf } from '../error.ts'
import { isTransport } from '../pt/index.ts'
import type { Transport } from '../transport.ts'

/** Returns every export of `file`, default or named, that is a Transport. Throws an Error whose message says what to do. */
export async function loadTransports(file: string): Promise<Transport[]> {
  const path = resolve(file)
  let exported: Record<string, unknown>
  try {
    exported = (await import(pathToFileURL(path).href)) as Record<string, unknown>
  } catch (error) {
    throw new Error(`--load ${file}: ${whyNot(error, path)}`, { cause: error })
  }
  const transports = [...new Set(Object.values(exported).filter((value) => isTransport(value)))]
  if (transports.length > 0) return transports
  throw new Error(
    `--load ${file}: no transport among its exports (${Object.keys(exported).join(', ') || 'it has none'}); ` +
      'a transport is an object with name, client() and server()',
  )
}

function whyNot(error: unknown, path: string): string {
  if (!existsSync(path)) return 'there is no such file'
  const { code } = (error ?? {}) as NodeJS.ErrnoException
  const [what] = messageOf(error).split('\n')
  if (code === 'ERR_UNKNOWN_FILE_EXTENSION' && /\.[mc]?ts$/.test(path)) {
    return 'this version of Node does not run TypeScript: compile the file to JavaScript, or use Node 22.18 or newer'
  }
  if (code === 'ERR_MODULE_NOT_FOUND') return `${what}; install what it imports beside it`
  // Node knows the line of the mistake, and writes it to stderr only.
  if (error instanceof SyntaxError) return `it cannot be loaded: ${what}; node ${path} says where`
  return `it cannot be loaded: ${what}`
}
