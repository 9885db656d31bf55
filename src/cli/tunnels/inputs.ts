/**
 * What does not belong on a command line, which every user of the machine can read in the list of processes and which shells
 * keep: bridge lines, the login of a proxy, a server's keys. Each is read from a file, or from standard input as `-`.
 */
import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { readBridgeLines } from '../../app/index.ts'
import { sleepSync } from '../../io/index.ts'
import { UsageError } from '../usage.ts'
import { checked, tellIfOpenToAll } from './flags.ts'
import { checks } from './spec.ts'

const SIZE_LIMIT = 1024 * 1024
/** Milliseconds until a pipe that has nothing yet is looked at again. */
const PAUSE = 20

/** The bytes of a file, or of standard input. Throws UsageError, which names the option. */
export function readInput(name: string, file: string): Buffer {
  try {
    const bytes = readAtMost(file, SIZE_LIMIT + 1)
    if (bytes.length <= SIZE_LIMIT) return bytes
  } catch (error) {
    throw new UsageError(`${name}: it cannot be read: ${(error as NodeJS.ErrnoException).code}`)
  }
  throw new UsageError(`${name}: it is longer than 1 MiB`)
}

/** The same of a file that holds a secret. */
function readSecret(name: string, file: string): Buffer {
  const bytes = readInput(name, file)
  if (file !== '-' && statSync(file).isFile()) tellIfOpenToAll(file)
  return bytes
}

/** A device or a pipe that never ends is not waited for beyond that. */
function readAtMost(file: string, limit: number): Buffer {
  const fd = file === '-' ? 0 : openSync(file, 'r')
  const chunks: Buffer[] = []
  try {
    for (let left = limit; left > 0;) {
      const chunk = Buffer.alloc(Math.min(left, 64 * 1024))
      const length = readSome(fd, chunk)
      if (length === 0) break
      chunks.push(chunk.subarray(0, length))
      left -= length
    }
  } finally {
    if (fd !== 0) closeSync(fd)
  }
  return Buffer.concat(chunks)
}

/** Windows tells the end of a pipe by an error; a pipe that another process made non-blocking tells a pause by one. */
function readSome(fd: number, into: Buffer): number {
  for (;;) {
    try {
      return readSync(fd, into)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EOF') return 0
      if (code !== 'EAGAIN') throw error
      sleepSync(PAUSE)
    }
  }
}

/** A bridge line, and the words that name where it came from. */
export interface NamedLine {
  readonly text: string
  readonly name: string
  /** True if it was typed, and so is known to be meant. */
  readonly typed: boolean
}

/** The lines among the arguments and those of `--file`, in any form that readBridgeLines knows. Throws UsageError. */
export function bridgeLinesFrom(positionals: readonly string[], file: string | undefined): NamedLine[] {
  if (positionals.length > 1 && positionals.every((text) => !/\s|^bridge:/i.test(text.trim()))) {
    throw new UsageError('a bridge line has spaces: put quotation marks around each')
  }
  const typed = positionals.flatMap((text) => {
    const lines = linesOf('LINE', text)
    return lines.length === 0 ? [text.trim()] : lines
  })
  const read = file === undefined ? [] : linesOf('--file', readInput('--file', file))
  return [
    ...typed.map((text, at) => ({ text, name: `LINE ${at + 1}`, typed: true })),
    ...read.map((text, at) => ({ text, name: `--file, line ${at + 1}`, typed: false })),
  ]
}

function linesOf(name: string, input: string | Buffer): string[] {
  try {
    return readBridgeLines(input)
  } catch (error) {
    throw new UsageError(`${name}: ${(error as Error).message}`)
  }
}

/** The upstream proxy of `--proxy URI`, or of the first line of `--proxy-file FILE`. Throws UsageError. */
export function proxyFrom(uri: string | undefined, file: string | undefined): string | undefined {
  if (uri !== undefined && file !== undefined) throw new UsageError('--proxy and --proxy-file: one of them is enough')
  if (file === undefined) return uri === undefined ? undefined : checked('--proxy', uri, checks.proxy)
  return checked('--proxy-file', firstLine(readSecret('--proxy-file', file)), checks.proxy)
}

/** The first line of a text, without the spaces around it. */
function firstLine(bytes: Buffer): string {
  return bytes
    .toString('utf8')
    .replace(/^\ufeff/, '')
    .trimStart()
    .split(/\r?\n/, 1)[0]!
    .trim()
}

/** The KEY=VALUE of each `--option`, and of each line of `--option-file`. Throws UsageError, which repeats no value. */
export function optionsFrom(options: readonly string[], file: string | undefined): Record<string, string> {
  const given = options.map((text, at) => pairOf(text, `--option ${at + 1}`))
  return {
    ...(file === undefined ? {} : optionsIn(readSecret('--option-file', file), '--option-file')),
    ...Object.fromEntries(given),
  }
}

/** The KEY=VALUE of each line that is neither empty nor a comment. */
function optionsIn(bytes: Buffer, name: string): Record<string, string> {
  const lines = bytes
    .toString('utf8')
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
  const pairs = lines.flatMap((line, at) =>
    /^\s*(?:#|$)/.test(line) ? [] : [pairOf(line.trim(), `${name}, line ${at + 1}`)],
  )
  return Object.fromEntries(pairs)
}

function pairOf(text: string, name: string): [string, string] {
  const pair = /^([^=]+)=(.*)$/s.exec(text)
  if (pair === null) throw new UsageError(`${name}: expected KEY=VALUE`)
  return [pair[1]!, pair[2]!]
}
