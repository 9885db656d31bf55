/**
 * The authentication cookie file, TOR_PT_AUTH_COOKIE_FILE (proposal 217, section 4.2.1.2).
 *
 *     "! Extended ORPort Auth Cookie !\x0a"  32 bytes
 *     <cookie>                               32 random bytes
 */
import { constants } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { equalBytes } from '../crypto/equal-bytes.ts'
import { PtError } from '../error.ts'
import { clearDrafts, withDraft } from '../io/files/drafts.ts'
import { COOKIE_SIZE } from './safe-cookie.ts'

const HEADER = Buffer.from('! Extended ORPort Auth Cookie !\n', 'ascii')
const FILE_SIZE = HEADER.length + COOKIE_SIZE

/** Returns the cookie in the bytes of a cookie file. Throws PT_EXTOR_AUTH if they are anything else. */
export function parseCookie(bytes: Uint8Array): Buffer {
  const header = Buffer.from(bytes.subarray(0, HEADER.length))
  if (bytes.length !== FILE_SIZE) throw new PtError('PT_EXTOR_AUTH', `a cookie file has exactly ${FILE_SIZE} bytes`)
  // The comparison takes constant time: a path that leads to another secret must not be probed by this comparison.
  if (!equalBytes(header, HEADER)) throw new PtError('PT_EXTOR_AUTH', 'the header is not that of a cookie file')
  return Buffer.from(bytes.subarray(HEADER.length))
}

/** Returns the bytes of a file that holds `cookie`. */
export function formatCookie(cookie: Uint8Array): Buffer {
  if (cookie.length !== COOKIE_SIZE) {
    throw new PtError('PT_EXTOR', `an Extended ORPort cookie has ${COOKIE_SIZE} bytes, not ${cookie.length}`)
  }
  return Buffer.concat([HEADER, cookie])
}

/** Reads a cookie file. Rejects with PT_EXTOR_AUTH, whatever the reason. */
export async function readCookieFile(path: string): Promise<Buffer> {
  try {
    // Reading does not block and is bounded: a path that is a pipe or a device ends in an error, not in a hang.
    await using file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    const buffer = Buffer.alloc(FILE_SIZE + 1)
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0)
    return parseCookie(buffer.subarray(0, bytesRead))
  } catch (error) {
    const why = (error as Error).message
    throw new PtError('PT_EXTOR_AUTH', `cannot use the Extended ORPort cookie file ${path}: ${why}`, { cause: error })
  }
}

/** Writes a cookie file that only its owner can read. It is there whole or not at all, and replaces what was there. */
export async function writeCookieFile(path: string, cookie: Uint8Array): Promise<void> {
  const bytes = formatCookie(cookie)
  try {
    await clearDrafts(path)
    await withDraft(path, async (draft) => {
      {
        await using file = await open(draft, 'wx', 0o600)
        await file.writeFile(bytes)
      }
      await rename(draft, path)
    })
  } catch (error) {
    const why = (error as Error).message
    throw new PtError('PT_EXTOR', `cannot write the Extended ORPort cookie file ${path}: ${why}`, { cause: error })
  }
}

/** Removes the file if it still holds `cookie`: a successor that has put its own there keeps it. */
export async function removeCookieFile(path: string, cookie: Uint8Array): Promise<void> {
  const there = await readCookieFile(path).catch(() => undefined)
  if (there !== undefined && equalBytes(there, cookie)) await rm(path, { force: true })
}
