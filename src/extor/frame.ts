/**
 * The commands of the Extended ORPort (proposal 196, section 3.1): a command number, the length of the body, the body.
 *
 *     PT → server   0002 0005 616c706861   TRANSPORT "alpha"
 *                   0000 0000              DONE
 *     server → PT   1000 0000              OKAY
 */
import type { Duplex } from 'node:stream'
import { PtError } from '../error.ts'
import { readExactly } from '../io/read.ts'

/** The numbers of the commands. */
export const commands = {
  DONE: 0x0000,
  USERADDR: 0x0001,
  TRANSPORT: 0x0002,
  OKAY: 0x1000,
  DENY: 0x1001,
  CONTROL: 0x1002,
} as const

/** Both sides skip commands that they do not know, but no more than this many on one connection. */
export const UNKNOWN_COMMANDS_LIMIT = 64

const HEADER_SIZE = 4
const BODY_LIMIT = 0xffff

/** One command of the Extended ORPort. */
export interface Frame {
  readonly command: number
  readonly body: Buffer
}

/** Writes a command. Throws PT_EXTOR for a body of more than 65535 bytes. */
export function encodeFrame(command: number, body: string | Uint8Array = ''): Buffer {
  const bytes = Buffer.from(body as string)
  if (bytes.length > BODY_LIMIT) {
    throw new PtError('PT_EXTOR', `the body of a command is ${bytes.length} bytes, and ${BODY_LIMIT} is the limit`)
  }
  const header = Buffer.alloc(HEADER_SIZE)
  header.writeUInt16BE(command, 0)
  header.writeUInt16BE(bytes.length, 2)
  return Buffer.concat([header, bytes])
}

/** Reads the first command of `bytes` and returns it with the bytes after it; undefined while it is not complete. */
export function decodeFrame(bytes: Uint8Array): (Frame & { readonly rest: Buffer }) | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (buffer.length < HEADER_SIZE) return undefined
  const end = HEADER_SIZE + buffer.readUInt16BE(2)
  if (buffer.length < end) return undefined
  return { command: buffer.readUInt16BE(0), body: buffer.subarray(HEADER_SIZE, end), rest: buffer.subarray(end) }
}

/** Reads one command; the bytes after it stay in `conn`. Rejects with PT_CLOSED or the signal's reason. */
export async function readFrame(conn: Duplex, signal: AbortSignal): Promise<Frame> {
  const header = await readExactly(conn, HEADER_SIZE, signal)
  const body = await readExactly(conn, header.readUInt16BE(2), signal)
  return { command: header.readUInt16BE(0), body }
}
