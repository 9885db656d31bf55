/**
 * An Extended ORPort that does as a script says: right and wrong hashes, any answer, and a memory for each byte.
 */
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Frame } from '../../extor/index.ts'
import { clientHash, commands, decodeFrame, encodeFrame, formatCookie, serverHash } from '../../extor/index.ts'
import { delay } from '../../io/wait/deadline.ts'
import { formatAddress } from '../../ipc/index.ts'
import { QUIET } from './evidence.ts'
import type { PtLab } from './pt-lab.ts'
import type { Wire } from '../lab/wire.ts'

export interface ExtScript {
  /** Shows a hash that is made from another cookie. */
  readonly impostor?: boolean
  readonly answer: 'okay' | 'deny'
  /** Sends an unknown command before the answer. */
  readonly unknownFirst?: boolean
}

/** What one connection of the PT brought. */
export interface Heard {
  readonly wire: Wire
  /** Types of authentication that the PT chose; undefined if it said nothing. */
  readonly type: number | undefined
  /** Its hash: right, wrong, or none. */
  readonly hash: 'right' | 'wrong' | 'none'
  /** Commands up to DONE. */
  readonly frames: readonly Frame[]
  /** What came between DONE and the answer. */
  readonly early: Buffer
}

export interface ScriptedPort {
  /** The variables that lead a server to it. */
  readonly env: Readonly<Record<string, string>>
  /** Waits for the next connection, until it has come as far as it does; undefined if none comes in time. */
  next(ms: number): Promise<Heard | undefined>
}

const WAIT = 5_000
const SAFE_COOKIE = 1

/** Opens it and writes a cookie file. */
export async function scriptedPort(lab: PtLab, script: ExtScript): Promise<ScriptedPort> {
  const { folder } = await lab.folders()
  const cookieFile = join(folder, 'cookie')
  const cookie = randomBytes(32)
  await writeFile(cookieFile, formatCookie(cookie), { mode: 0o600 })
  const heard: Promise<Heard>[] = []
  const listener = await lab.listen((wire) => void heard.push(serve(wire, cookie, script)))
  let taken = 0
  return {
    env: { TOR_PT_EXTENDED_SERVER_PORT: formatAddress(listener.address), TOR_PT_AUTH_COOKIE_FILE: cookieFile },
    async next(ms) {
      await listener.wire(taken, ms)
      return await heard[taken++]
    },
  }
}

async function serve(wire: Wire, cookie: Buffer, script: ExtScript): Promise<Heard> {
  const nothing = { wire, hash: 'none' as const, frames: [], early: Buffer.alloc(0) }
  wire.write(Buffer.of(SAFE_COOKIE, 0))
  const type = (await wire.take(1, WAIT))[0]
  const clientNonce = await wire.take(32, WAIT)
  if (type !== SAFE_COOKIE || clientNonce.length < 32) return { ...nothing, type }
  const serverNonce = randomBytes(32)
  const shown = script.impostor === true ? randomBytes(32) : cookie
  wire.write(Buffer.concat([serverHash(shown, clientNonce, serverNonce), serverNonce]))
  const hash = await wire.take(32, script.impostor === true ? 1_000 : WAIT)
  if (hash.length < 32) return { ...nothing, type }
  const right = hash.equals(clientHash(cookie, clientNonce, serverNonce))
  wire.write(Buffer.of(right ? 1 : 0))
  if (!right) return { ...nothing, type, hash: 'wrong' }
  const frames = await introduction(wire)
  await delay(QUIET)
  const early = await wire.rest(0)
  if (script.unknownFirst === true) wire.write(encodeFrame(0x2fff, 'x'))
  wire.write(encodeFrame(script.answer === 'okay' ? commands.OKAY : commands.DENY))
  if (script.answer === 'deny') wire.socket.end()
  return { wire, type, hash: 'right', frames, early }
}

async function introduction(wire: Wire): Promise<Frame[]> {
  const frames: Frame[] = []
  for (;;) {
    const head = await wire.take(4, WAIT)
    if (head.length < 4) return frames
    const body = await wire.take(head.readUInt16BE(2), WAIT)
    const frame = decodeFrame(Buffer.concat([head, body]))
    if (frame === undefined || frame.command === commands.DONE) return frames
    frames.push(frame)
  }
}
