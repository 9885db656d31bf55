/**
 * Writing a file that is whole at every moment: whoever reads it, or starts after a crash, finds the old text or the new one.
 */
import { randomBytes } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { basename } from 'node:path'
import { PtError } from '../../error.ts'

/** Replaces `path` by `text`, mode 0600. Throws PT_STATE. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    const file = await open(draft, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, path)
  } catch (error) {
    await rm(draft, { force: true })
    const { code } = error as NodeJS.ErrnoException
    throw new PtError('PT_STATE', `cannot write ${basename(path)} in the state directory: ${code ?? String(error)}`)
  }
}
