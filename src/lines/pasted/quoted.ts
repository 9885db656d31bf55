/**
 * Strings in quotation marks, as JSON, Python, TOML, prefs.js and people write them; and all strings of a JSON text.
 */
import type { BridgeLineInit } from '../bridge-line.ts'
import { formatBridgeLine } from '../bridge-line.ts'

/** Opening marks, and what closes each. */
const marks: Readonly<Record<string, string>> = {
  '"': '"',
  "'": "'",
  '`': '`',
  '“': '”',
  '„': '“',
  '‘': '’',
  '‚': '‘',
  '«': '»',
}

/** What stands in quotation marks, in order, with backslashes taken back. Each character is looked at a few times at most. */
export function quotedStrings(text: string): string[] {
  const strings: string[] = []
  const unclosed = new Set<string>()
  for (let at = 0; at < text.length; at++) {
    const close = marks[text[at]!]
    if (close === undefined || unclosed.has(close)) continue
    const end = endOf(text, at + 1, close)
    if (end === -1) unclosed.add(close)
    else {
      strings.push(text.slice(at + 1, end).replace(/\\(.)/g, '$1'))
      at = end
    }
  }
  return strings
}

function endOf(text: string, from: number, close: string): number {
  for (let at = from; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === close) return at
  }
  return -1
}

/** How deep lists and objects are followed. */
const DEPTH = 16

/**
 * Every string of a JSON text, in order, and a line for each object that bridgeLineToJson could have made; undefined for what
 * is no JSON list or object.
 */
export function jsonStrings(text: string): string[] | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  const strings: string[] = []
  const walk = (one: unknown, depth: number): void => {
    if (typeof one === 'string') strings.push(one)
    if (typeof one !== 'object' || one === null || depth === 0) return
    const line = lineOf(one)
    if (line !== undefined) strings.push(line)
    else for (const inner of Object.values(one)) walk(inner, depth - 1)
  }
  walk(value, DEPTH)
  return strings
}

function lineOf(value: object): string | undefined {
  if (!('transport' in value) || !('address' in value)) return undefined
  try {
    return formatBridgeLine(value as BridgeLineInit)
  } catch {
    return undefined
  }
}
