/** Both sides of the Extended ORPort as scripts that can break off, dribble and lie. */
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { duplexPair } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { clientHash, commands, encodeFrame, formatCookie, serverHash } from 'postern/extor'
import { readExactly } from 'postern/io'
import { tempDir } from '../support.ts'

export const cookie: Buffer = Buffer.from('0123456789ABCDEF0123456789ABCDEF')

/** The path of a file that holds `bytes`, by default those of a good cookie file. */
export function cookieFile(bytes: Uint8Array = formatCookie(cookie)): string {
  const path = join(tempDir(), 'extended_orport_auth_cookie')
  writeFileSync(path, bytes)
  return path
}

interface Manner {
  /** Ends the connection behind so many bytes. */
  readonly cut?: number
  /** One byte at a time. */
  readonly dribble?: boolean
}

/** Thrown when a script has come to its cut. */
class Cut extends Error {}

function speaker(conn: Duplex, { cut = Infinity, dribble = false }: Manner): (bytes: Uint8Array) => Promise<void> {
  let left = cut
  return async (bytes) => {
    const said = bytes.subarray(0, Math.min(bytes.length, left))
    left -= said.length
    if (dribble) {
      for (const byte of said) {
        conn.write(Buffer.of(byte))
        await turn()
      }
    } else if (said.length > 0) conn.write(said)
    if (left > 0) return
    conn.end()
    throw new Cut()
  }
}

export interface ServerScript extends Manner {
  readonly authTypes?: Uint8Array
  readonly cookie?: Uint8Array
  readonly status?: Uint8Array
  /** What comes behind DONE. */
  readonly reply?: Uint8Array
}

/** Plays the server; resolves with what the PT sent behind its hash, up to DONE. */
export async function playServer(conn: Duplex, script: ServerScript = {}): Promise<Buffer> {
  const say = speaker(conn, script)
  const held = script.cookie ?? cookie
  await say(script.authTypes ?? Buffer.of(1, 0))
  await readExactly(conn, 1)
  const clientNonce = await readExactly(conn, 32)
  const serverNonce = randomBytes(32)
  await say(Buffer.concat([serverHash(held, clientNonce, serverNonce), serverNonce]))
  const shown = await readExactly(conn, 32)
  await say(script.status ?? Buffer.of(shown.equals(clientHash(held, clientNonce, serverNonce)) ? 1 : 0))
  const said: Buffer[] = []
  while (!said.at(-1)?.equals(encodeFrame(commands.DONE))) {
    const header = await readExactly(conn, 4)
    said.push(Buffer.concat([header, await readExactly(conn, header.readUInt16BE(2))]))
  }
  await say(script.reply ?? encodeFrame(commands.OKAY))
  return Buffer.concat(said)
}

export interface PtScript extends Manner {
  readonly cookie?: Uint8Array
  /** What comes behind the status. */
  readonly introduction?: Uint8Array
}

/** Plays the PT up to the end of its introduction; what the server says to that is left in `conn`. */
export async function playPt(conn: Duplex, script: PtScript = {}): Promise<void> {
  const say = speaker(conn, script)
  const held = script.cookie ?? cookie
  await readExactly(conn, 2)
  const clientNonce = randomBytes(32)
  await say(Buffer.concat([Buffer.of(1), clientNonce]))
  const shown = await readExactly(conn, 32)
  const serverNonce = await readExactly(conn, 32)
  if (!shown.equals(serverHash(held, clientNonce, serverNonce))) throw new Error('wrong server hash')
  await say(clientHash(held, clientNonce, serverNonce))
  const status = await readExactly(conn, 1)
  if (status[0] !== 1) throw new Error('refused')
  await say(script.introduction ?? encodeFrame(commands.DONE))
}

/** Two ends of a connection in memory; errors of a destroyed end are not the process's. */
export function pair(): [Duplex, Duplex] {
  const [a, b] = duplexPair()
  for (const [end, other] of [
    [a, b],
    [b, a],
  ] as const) {
    end.on('error', () => {})
    // As on a socket: who is gone is noticed by the other.
    end.on('close', () => other.destroy())
  }
  return [a, b]
}
