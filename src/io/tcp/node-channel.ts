/**
 * The channel of a socket of Node's: an adapter that gives net.Socket the face of channel.ts.
 *
 * Node can read an outgoing socket into memory of the caller (`onread` of net.connect), but only from the first byte on. Here it
 * begins later, after a handshake, and for accepted sockets too. It uses the three fields in which net.Socket keeps that option.
 * They are the same from Node 20 to 26. If one is missing, no reads are given to an owner, and the streams carry the bytes.
 */
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { MayHaveChannel, ReadOwner, TcpChannel } from './channel.ts'
import { channelKey, requireLent } from './channel.ts'

interface Handle {
  readonly reading: boolean
  useUserBuffer(buffer: Uint8Array): void
}

type Fields = Readonly<Record<'kBuffer' | 'kBufferCb' | 'kBufferGen', symbol>>

/** Undefined if this Node has other fields. */
const fields: Fields | undefined = findFields(new Socket())

function findFields(socket: Socket): Fields | undefined {
  const byName = new Map(Object.getOwnPropertySymbols(socket).map((symbol) => [symbol.description, symbol]))
  const [kBuffer, kBufferCb, kBufferGen] = [byName.get('kBuffer'), byName.get('kBufferCb'), byName.get('kBufferGen')]
  if (kBuffer === undefined || kBufferCb === undefined || kBufferGen === undefined) return undefined
  return { kBuffer, kBufferCb, kBufferGen }
}

/** The channel of `stream`; undefined if it is no connection of its own, but TLS, a codec or a pipe in memory. */
export function channelOf(stream: Duplex): TcpChannel | undefined {
  const { [channelKey]: known } = stream as MayHaveChannel
  if (known !== undefined || !isNodeSocket(stream)) return known
  const channel = new NodeChannel(stream)
  Object.defineProperty(stream, channelKey, { value: channel })
  return channel
}

/** True for net.Socket, of this or of another context. A TLSSocket is one too, but its bytes are not those of its connection. */
function isNodeSocket(stream: Duplex): stream is Socket {
  return '_handle' in stream && 'resetAndDestroy' in stream && !('encrypted' in stream)
}

class NodeChannel implements TcpChannel {
  readonly duplex: Socket
  #owner: ReadOwner | undefined

  constructor(duplex: Socket) {
    this.duplex = duplex
  }

  get canGiveReads(): boolean {
    const { connecting, destroyed } = this.duplex
    return fields !== undefined && !connecting && !destroyed && typeof this.#handle?.useUserBuffer === 'function'
  }

  giveReadsTo(owner: ReadOwner, memory: Uint8Array): void {
    if (fields === undefined) throw new Error('this Node cannot read into the memory of an owner')
    const { kBuffer, kBufferCb, kBufferGen } = fields
    const kept = this.duplex as unknown as Record<symbol, unknown>
    kept[kBuffer] = requireLent(memory)
    kept[kBufferCb] = (length: number) => owner.arrived(length)
    kept[kBufferGen] = null
    this.#handle?.useUserBuffer(memory)
    const before = this.#owner
    this.#owner = owner
    if (before !== owner) before?.replaced?.()
  }

  readOn(): void {
    const handle = this.#handle
    // resume() would read once more in a later turn, when the owner may have stopped reading again.
    if (handle && !handle.reading) this.duplex._read(0)
  }

  writeNow(bytes: Uint8Array, taken: () => void): boolean {
    let waits = false
    this.duplex.write(bytes, () => {
      if (waits) taken()
    })
    waits = this.duplex.writableLength > 0
    return !waits
  }

  closeWithReset(): void {
    const { duplex } = this
    // Node would neither close it nor say so.
    if (duplex.writableEnded && !duplex.writableFinished) duplex.destroy()
    else duplex.resetAndDestroy()
  }

  get #handle(): Handle | null | undefined {
    return (this.duplex as unknown as { readonly _handle: Handle | null })._handle
  }
}
