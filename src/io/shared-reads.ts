/**
 * Reading a socket into memory that many sockets share, instead of into a buffer of its own for every read.
 *
 * Node has this for outgoing sockets (`onread` of net.connect), from their first byte on. Here it begins later, behind a
 * handshake, and for accepted sockets too, by the three fields in which net.Socket keeps that option. They are the same from
 * Node 20 to 26; where one is missing, nothing is read this way, and the streams carry the bytes.
 */
import { Socket } from 'node:net'

interface Handle {
  readonly reading: boolean
  useUserBuffer(buffer: Uint8Array): void
}

type Fields = Readonly<Record<'kBuffer' | 'kBufferCb' | 'kBufferGen', symbol>>

/** Takes the `length` bytes that lie at the beginning of the memory; false stops reading. */
export type TakeRead = (length: number) => boolean

/** Undefined where this Node has other fields. */
const fields: Fields | undefined = findFields(new Socket())

function findFields(socket: Socket): Fields | undefined {
  const byName = new Map(Object.getOwnPropertySymbols(socket).map((symbol) => [symbol.description, symbol]))
  const [kBuffer, kBufferCb, kBufferGen] = [byName.get('kBuffer'), byName.get('kBufferCb'), byName.get('kBufferGen')]
  if (kBuffer === undefined || kBufferCb === undefined || kBufferGen === undefined) return undefined
  return { kBuffer, kBufferCb, kBufferGen }
}

/** True where `socket` can be read into shared memory: it is connected, and this Node can do it. */
export function canShareReads(socket: unknown): socket is Socket {
  return fields !== undefined && socket instanceof Socket && !socket.connecting && !socket.destroyed && usable(socket)
}

function usable(socket: Socket): boolean {
  return typeof handleOf(socket)?.useUserBuffer === 'function'
}

/**
 * From now on what arrives at `socket` goes to `take` and not into the stream, which still tells of end, error and close.
 * Reading goes on as it was; readOn() starts it.
 */
export function shareReads(socket: Socket, memory: Uint8Array, take: TakeRead): void {
  if (fields === undefined) throw new Error('this Node cannot read into shared memory')
  const { kBuffer, kBufferCb, kBufferGen } = fields
  const kept = socket as unknown as Record<symbol, unknown>
  kept[kBuffer] = memory
  kept[kBufferCb] = take
  kept[kBufferGen] = null
  handleOf(socket)?.useUserBuffer(memory)
}

/**
 * As much as Node reads at a time. Not more: a cipher's result is as long as the read, and malloc asks the system for each
 * piece of 128 KiB and more anew, whose pages then have to be mapped, which takes as long as all else.
 */
const READ_LENGTH = 65_536
let memory: Buffer | undefined

/** One place for the bytes of all reads, each for the length of one call. */
export function readMemory(): Buffer {
  return (memory ??= Buffer.allocUnsafeSlow(READ_LENGTH))
}

/** Starts reading, or does so again after `take` has stopped it. */
export function readOn(socket: Socket): void {
  const handle = handleOf(socket)
  // resume() would read once more in a later turn, when `take` may have stopped it anew.
  if (handle && !handle.reading) socket._read(0)
}

let waiting: Socket[] = []

/** Does so in the next turn of the event loop, when all others have had theirs. */
export function readOnInTurn(socket: Socket): void {
  if (waiting.push(socket) === 1) setImmediate(readAllOn)
}

function readAllOn(): void {
  const sockets = waiting
  waiting = []
  for (const socket of sockets) readOn(socket)
}

function handleOf(socket: Socket): Handle | null | undefined {
  return (socket as unknown as { readonly _handle: Handle | null })._handle
}
