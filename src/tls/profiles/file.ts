/** Files of profiles: the Profile as JSON, one extension a line. They are read strictly, and are never longer than a few KiB. */
import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { open } from 'node:fs/promises'
import { PtError } from '../../error.ts'
import { profileFault } from './check.ts'
import type { Profile } from './profile.ts'

/** In bytes. Those that come with this package would be 3 KiB. */
const MOST = 65_536

/** Reads the profile of a file. Rejects with PT_PROFILE if it cannot be read or used; the message names the field. */
export async function readProfile(path: string): Promise<Profile> {
  return parseProfile((await readWhole(path, MOST)).toString('utf8'))
}

/** The profile that `text` is as JSON. Throws PT_PROFILE if it is none, or offers what this client does not honour. */
export function parseProfile(text: string): Profile {
  if (Buffer.byteLength(text) > MOST) throw refused(`it is longer than ${MOST} bytes`)
  let value: unknown
  try {
    value = JSON.parse(text.replace(/^\ufeff/, ''))
  } catch {
    throw refused('it is no JSON')
  }
  const fault = profileFault(value)
  if (fault !== undefined) throw refused(fault)
  return value as Profile
}

/** A profile as the text of its file. */
export function formatProfile(profile: Profile): string {
  const { suites, extensions, permuted, ...about } = profile
  const lines = [
    ...Object.entries(about).map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`),
    `"suites": ${line(suites)}`,
    `"permuted": ${permuted}`,
    `"extensions": [\n    ${extensions.map(line).join(',\n    ')}\n  ]`,
  ]
  return `{\n  ${lines.join(',\n  ')}\n}\n`
}

/** All of a file that has to be an ordinary one, and not longer than `most`. */
export async function readWhole(path: string, most: number): Promise<Buffer> {
  let file: FileHandle
  try {
    // A pipe would be waited for.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === 'ENOENT'
    throw refused(isMissing ? 'there is no such file' : 'its file cannot be opened', cause)
  }
  await using _closed = { [Symbol.asyncDispose]: () => file.close() }
  if (!(await file.stat()).isFile()) throw refused('it is no ordinary file')
  const bytes = Buffer.alloc(most + 1)
  let length = 0
  for (;;) {
    const { bytesRead } = await file.read(bytes, length, bytes.length - length)
    length += bytesRead
    if (length > most) throw refused(`it is longer than ${most} bytes`)
    if (bytesRead === 0) return bytes.subarray(0, length)
  }
}

/** JSON in one line, with spaces after commas and colons. */
function line(value: unknown): string {
  return JSON.stringify(value, undefined, 1)
    .replace(/\n\s*/g, ' ')
    .replace(/([[{]) | (?=[\]}])/g, '$1')
}

function refused(why: string, cause?: unknown): PtError {
  return new PtError('PT_PROFILE', `the profile cannot be used: ${why}`, cause === undefined ? {} : { cause })
}
