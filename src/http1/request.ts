/**
 * The head of a request of HTTP/1.1 (RFC 9112, section 3).
 *
 *     method SP target SP HTTP/1.1
 *
 * It is read strictly: a front and a server that read the same bytes in two ways can be played off against each other.
 */
import type { Field } from './fields.ts'
import { formatHead, headLines, isToken, parseField } from './head.ts'

export interface RequestHead {
  readonly method: string
  /** As it was written: a path with its query, or the form of a proxy. */
  readonly target: string
  /** Of HTTP/1.0 and HTTP/1.1 the digit after the point. */
  readonly minor: number
  readonly fields: readonly Field[]
}

/** Reads a complete head, up to its empty line. Undefined if it is none; folded lines are none either. */
export function parseRequest(head: Uint8Array): RequestHead | undefined {
  const [start = '', ...lines] = headLines(head)
  const parts = /^(\S+) ([\x21-\x7e\x80-\xff]+) HTTP\/1\.([01])$/.exec(start)
  if (parts === null) return undefined
  const [, method = '', target = '', minor] = parts
  const fields = lines.map(parseField)
  if (!isToken(method) || !fields.every((field) => field !== undefined)) return undefined
  return { method, target, minor: Number(minor), fields }
}

/** Writes a request of HTTP/1.1. Throws PT_LINE for what would break out of its line. */
export function formatRequest(method: string, target: string, fields: readonly Field[]): string {
  return formatHead(`${method} ${target} HTTP/1.1`, fields)
}
