/**
 * The bridge line of a server as a file beside its identity, as what is printed may end in a journal that others read: a line
 * holds the address and the keys that its users have.
 */
import { join } from 'node:path'
import { writePrivateFile } from '../../io/files/private-file.ts'

/** Writes it, for its owner only, and returns the path. Rejects with PT_STATE. */
export async function writeBridgeLine(stateDir: string, transport: string, line: string): Promise<string> {
  const path = join(stateDir, `bridge-line-${transport}.txt`)
  await writePrivateFile(path, `${line}\n`)
  return path
}
