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
 * Reads TOR_PT_CLIENT_TRANSPORTS or TOR_PT_SERVER_TRANSPORTS as a PT does: a repeated name counts once (NAME-2), and
 * an invalid name stays in the list, as a name for which there is no transport (CENV-2; `*` has no meaning).
 */
export function parseNames(list: string): string[] {
  return [...new Set(list.split(',').filter((name) => name !== ''))]
}

/** Writes the same list as a parent does: every name is valid, and none comes twice. Throws PT_NAME. */
export function formatNames(names: readonly string[]): string {
  const seen = new Set<string>()
  for (const name of names) {
    if (seen.has(requireTransportName(name))) throw new PtError('PT_NAME', `transport ${name} is named twice`)
    seen.add(name)
  }
  return names.join(',')
}

/**
 * The one of `names` that was most likely meant by `text`: the same in other letter case, or one slip of the hand away (a
 * letter too many or too few, another one, two exchanged). Undefined if that is none of them, or more than one.
 */
export function nearestName(text: string, names: readonly string[]): string | undefined {
  const small = text.toLowerCase()
  const same = names.filter((name) => name.toLowerCase() === small)
  const near = same.length > 0 ? same : names.filter((name) => isOneSlipAway(small, name.toLowerCase()))
  return near.length === 1 ? near[0] : undefined
}

function isOneSlipAway(a: string, b: string): boolean {
  if (a === b || Math.abs(a.length - b.length) > 1) return a === b
  let at = 0
  while (at < a.length && a[at] === b[at]) at++
  const rest = (text: string, from: number): string => text.slice(at + from)
  const exchanged = a[at] === b[at + 1] && a[at + 1] === b[at] && rest(a, 2) === rest(b, 2)
  return exchanged || rest(a, 1) === rest(b, 1) || rest(a, 1) === rest(b, 0) || rest(a, 0) === rest(b, 1)
}
