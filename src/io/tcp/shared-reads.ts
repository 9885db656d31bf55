/**
 * Reading a socket into memory that many sockets share, instead of into a buffer of its own for every read.
 *
 * Node has this for outgoing sockets (`onread` of net.connect), from their first byte on. Here it begins later, behind a
 * handshake, and for accepted sockets too, by the three fields in which net.Socket keeps that option. They are the same from
 * Node 20 to 26; where one is missing, nothing is read this way, and the streams carry the bytes.
 */
import { Socket } from 'node:net'
import { isLent, readMemory } from './read-memory.ts'
import type { TakeRead } from './tcp-socket.ts'
import { TcpSocket } from './tcp-socket.ts'

interface Handle {
  readonly reading: boolean
  useUserBuffer(buffer: Uint8Array): void
}

type Fields = Readonly<Record<'kBuffer' | 'kBufferCb' | 'kBufferGen', symbol>>

/** What can be read so. */
export type SharedSocket = Socket | TcpSocket

/** Undefined where this Node has other fields. */
const fields: Fields | undefined = findFields(new Socket())

function findFields(socket: Socket): Fields | undefined {
  const byName = new Map(Object.getOwnPropertySymbols(socket).map((symbol) => [symbol.description, symbol]))
  const [kBuffer, kBufferCb, kBufferGen] = [byName.get('kBuffer'), byName.get('kBufferCb'), byName.get('kBufferGen')]
  if (kBuffer === undefined || kBufferCb === undefined || kBufferGen === undefined) return undefined
  return { kBuffer, kBufferCb, kBufferGen }
}

/** True where `socket` can be read into shared memory: it is connected, and this Node can do it. */
export function canShareReads(socket: unknown): socket is SharedSocket {
  if (socket instanceof TcpSocket) return !socket.destroyed
  return fields !== undefined && socket instanceof Socket && !socket.connecting && !socket.destroyed && usable(socket)
}

function usable(socket: Socket): boolean {
  return typeof handleOf(socket)?.useUserBuffer === 'function'
}

/**
 * From now on what arrives at `socket` goes to `take` and not into the stream, which still tells of end, error and close.
 * Reading goes on as it was; readOn() starts it.
 */
export function shareReads(socket: SharedSocket, memory: Uint8Array, take: TakeRead): void {
  if (!isLent(memory)) return shareReadsByCopy(socket, memory, take)
  if (socket instanceof TcpSocket) return socket.shareReads(memory, take)
  if (fields === undefined) throw new Error('this Node cannot read into shared memory')
  const { kBuffer, kBufferCb, kBufferGen } = fields
  const kept = socket as unknown as Record<symbol, unknown>
  kept[kBuffer] = memory
  kept[kBufferCb] = take
  kept[kBufferGen] = null
  handleOf(socket)?.useUserBuffer(memory)
}

/** For memory of a codec that is not ours: the system writes into our own, and a copy goes where the codec wants it. */
function shareReadsByCopy(socket: SharedSocket, memory: Uint8Array, take: TakeRead): void {
  const own = readMemory().subarray(0, memory.length)
  shareReads(socket, own, (length) => {
    try {
      memory.set(own.subarray(0, length))
    } catch (error) {
      // The codec has given its memory away.
      socket.destroy(error as Error)
      return true
    }
    return take(length)
  })
}

/** Starts reading, or does so again after `take` has stopped it. */
export function readOn(socket: SharedSocket): void {
  if (socket instanceof TcpSocket) return socket.readOn()
  const handle = handleOf(socket)
  // resume() would read once more in a later turn, when `take` may have stopped it anew.
  if (handle && !handle.reading) socket._read(0)
}

let waiting: SharedSocket[] = []

/** Does so in the next turn of the event loop, when all others have had theirs. */
export function readOnInTurn(socket: SharedSocket): void {
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
