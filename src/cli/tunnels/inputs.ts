/**
 * What does not belong on a command line, because every user of the machine can read it in the list of processes, and because shells
 * keep it: bridge lines, the login of a proxy, the keys of a server. Each is read from a file, or from standard input as `-`.
 */
import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { readBridgeLines } from '../../app/index.ts'
import { sleepSync } from '../../io/wait/sleep.ts'
import { parseProfile } from '../../tls/profiles/file.ts'
import type { Profile } from '../../tls/profiles/profile.ts'
import { Mistake, readPart } from './schema/mistake.ts'
import { proxyUri, secret } from './values.ts'

const SIZE_LIMIT = 1024 * 1024
/** Milliseconds until a pipe that has nothing yet is looked at again. */
const PAUSE = 20

/** The bytes of a file, or of standard input. Throws a Mistake. */
export function readInput(file: string): Buffer {
  let bytes: Buffer
  try {
    bytes = readAtMost(file, SIZE_LIMIT + 1)
  } catch (error) {
    throw new Mistake(whyUnreadable(error))
  }
  if (bytes.length > SIZE_LIMIT) throw new Mistake('it is longer than 1 MiB')
  return bytes
}

const unreadable: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'this user may not read it',
  EISDIR: 'it is a folder, not a file',
}

/** Why a file cannot be read, in words. */
export function whyUnreadable(error: unknown): string {
  const { code = '' } = error as NodeJS.ErrnoException
  return unreadable[code] ?? `it cannot be read: ${code}`
}

/** Reads a file that holds a secret. */
function readSecret(file: string): Buffer {
  const bytes = readInput(file)
  if (file !== '-' && statSync(file).isFile()) tellIfOpenToAll(file)
  return bytes
}

/** A group may share a secret, but not everybody may. Windows has other means, of which the mode says nothing. */
function tellIfOpenToAll(file: string): void {
  if (process.platform === 'win32' || (statSync(file).mode & 0o006) === 0) return
  process.stderr.write(`postern: every user of this machine can read or change ${file}: chmod 600 it\n`)
}

/** At most `limit` bytes, so that a device or a pipe that never ends does not keep us waiting. */
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

/** Windows reports the end of a pipe as an error. A pipe that another process made non-blocking reports a pause as one. */
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

/** A bridge line, and the place at which its user wrote it. */
export interface NamedLine {
  readonly text: string
  /** The option that it came by: an argument or an item of a list, or a file. */
  readonly option: 'bridges' | 'file'
  /** Its place there, from 1. */
  readonly at: number
}

/** The lines among the arguments of a command line, in any form that readBridgeLines knows. Throws a Mistake. */
export function linesFromArguments(texts: readonly string[]): NamedLine[] {
  if (texts.length > 1 && texts.every((text) => !/\s|^bridge:/i.test(text.trim()))) {
    throw new Mistake('a bridge line has spaces: put quotation marks around each')
  }
  return linesTyped(texts)
}

/** The same of the texts of a list. */
export function linesTyped(texts: readonly string[]): NamedLine[] {
  const lines = texts.flatMap((text) => {
    const found = readPart(undefined, () => readBridgeLines(text))
    return found.length === 0 ? [text.trim()] : found
  })
  return lines.map((text, at) => ({ text, option: 'bridges', at: at + 1 }))
}

/** The lines that a file holds. Throws a Mistake. */
export function linesInFile(file: string, folder: string): NamedLine[] {
  const lines = readPart(undefined, () => readBridgeLines(readInput(within(folder, file))))
  return lines.map((text, at) => ({ text, option: 'file', at: at + 1 }))
}

/** The upstream proxy on the first line of a file. Throws a Mistake. */
export function proxyInFile(file: string, folder: string): string {
  return proxyUri(firstLine(readSecret(within(folder, file))))
}

/** The secret on the first line of a file. Throws a Mistake. */
export function secretInFile(file: string, folder: string): string {
  return secret(readSecret(within(folder, file)).toString('utf8').split(/\r?\n/)[0]!)
}

/** The first line of a text, without the spaces around it. */
function firstLine(bytes: Buffer): string {
  return withoutMark(bytes).trimStart().split(/\r?\n/, 1)[0]!.trim()
}

/** The KEY=VALUE of each line that is neither empty nor a comment. Throws a Mistake, which repeats no value. */
export function optionsInFile(file: string, folder: string): Record<string, string> {
  const lines = withoutMark(readSecret(within(folder, file))).split(/\r?\n/)
  const pairs = lines.flatMap((line, at) =>
    /^\s*(?:#|$)/.test(line) ? [] : [readPart({ line: at + 1 }, () => pairOf(line.trim()))],
  )
  return Object.fromEntries(pairs)
}

/** The profile of a ClientHello, and the absolute path of its file, which a PT in a process of its own is told. */
export interface ProfileFile {
  readonly path: string
  readonly profile: Profile
}

/** The profile in a file, which has to be an ordinary one. Throws a Mistake. */
export function profileInFile(file: string, folder: string): ProfileFile {
  const path = resolve(folder, file)
  const about = readPart(undefined, () => statSync(path, { throwIfNoEntry: false }))
  if (about !== undefined && !about.isFile() && !about.isDirectory()) throw new Mistake('it is no ordinary file')
  const text = readInput(path).toString('utf8')
  return { path, profile: readPart(undefined, () => parseProfile(text)) }
}

export function pairOf(text: string): [key: string, value: string] {
  const pair = /^([^=]+)=(.*)$/s.exec(text)
  if (pair === null) throw new Mistake('expected KEY=VALUE')
  return [pair[1]!, pair[2]!]
}

function withoutMark(bytes: Buffer): string {
  return bytes.toString('utf8').replace(/^\ufeff/, '')
}

/** A path in a file of tunnels is relative to the folder of that file. On a command line `folder` is `.`. */
function within(folder: string, file: string): string {
  return folder === '.' ? file : resolve(folder, file)
}
