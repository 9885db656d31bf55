/**
 * Transport names. Section "Pluggable Transport Naming".
 *
 *     <name> ::= [a-zA-Z_][a-zA-Z0-9_]*
 */
import { PtError } from '../error.ts'
import { quoted } from './line.ts'

/** True for a C identifier, of any length (NAME-1). */
export function isTransportName(text: string): boolean {
  return /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(text)
}

/** Returns `text`, or throws PT_NAME with what was wrong. */
export function requireTransportName(text: string): string {
  if (isTransportName(text)) return text
  throw new PtError('PT_NAME', `transport name ${quoted(text)} does not match [a-zA-Z_][a-zA-Z0-9_]*`)
}

/**
 * TOR_PT_CLIENT_TRANSPORTS and TOR_PT_SERVER_TRANSPORTS as a PT reads them: a repeated name counts once (NAME-2), and
 * what is no valid name stays in the list, where it is simply a name that nobody registered (CENV-2; `*` has no meaning).
 */
export function parseNames(list: string): string[] {
  return [...new Set(list.split(',').filter((name) => name !== ''))]
}

/** The same list as a parent writes it: every name valid, none twice. Throws PT_NAME. */
export function formatNames(names: readonly string[]): string {
  const seen = new Set<string>()
  for (const name of names) {
    if (seen.has(requireTransportName(name))) throw new PtError('PT_NAME', `transport ${name} is named twice`)
    seen.add(name)
  }
  return names.join(',')
}
