/**
 * The k=v list of LOG and STATUS. Sections "Log Message" and "Status Message".
 *
 *     TRANSPORT=obfs4 ADDRESS=198.51.100.222:2222 CONNECT=Failed ERRSTR="Connection refused"
 *
 * The draft prints a comma between pairs of STATUS; that was an error, and no peer writes one: pairs are separated by spaces.
 */
import { PtError } from '../error.ts'
import type { ArgsInit } from './args.ts'
import { Args } from './args.ts'
import { formatCString, parseCString } from './cstring.ts'
import { quoted } from './line.ts'

/** Reads the list; a value may be empty (tor takes `K=`, Arti does not). Throws PT_MESSAGE or PT_CSTRING. */
export function parseKvLine(text: string): Args {
  const pairs: [string, string][] = []
  const start = /([^ \t="]+)=/y
  const end = /[ \t]+|$/y
  let at = text.search(/[^ \t]|$/)
  while (at < text.length) {
    start.lastIndex = at
    const key = start.exec(text)
    if (key === null) throw new PtError('PT_MESSAGE', `expected <key>=<value> at character ${at + 1}`)
    at = start.lastIndex
    const value = text.charAt(at) === '"' ? parseCString(text, at) : parseString(text, at)
    pairs.push([key[1]!, value.value])
    end.lastIndex = value.end
    if (!end.test(text)) throw new PtError('PT_MESSAGE', `expected a space at character ${value.end + 1}`)
    at = end.lastIndex
  }
  return Args.from(pairs)
}

/** Writes the list. A value that is no plain word becomes a CString, and so do those of `inQuotes` keys. */
export function formatKvLine(args: ArgsInit, inQuotes: readonly string[] = []): string {
  const items = [...Args.from(args)].map(([key, value]) => {
    if (!/^[\x21\x23-\x3c\x3e-\x7e]+$/.test(key)) throw new PtError('PT_LINE', `${quoted(key)} cannot be a key`)
    const plain = /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(value) && !inQuotes.includes(key)
    return `${key}=${plain ? value : formatCString(value)}`
  })
  return items.join(' ')
}

function parseString(text: string, start: number): { value: string; end: number } {
  const word = /[^ \t]*/y
  word.lastIndex = start
  const value = word.exec(text)![0]
  if (value.includes('"')) throw new PtError('PT_MESSAGE', 'a quote stands inside an unquoted value')
  return { value, end: start + value.length }
}
