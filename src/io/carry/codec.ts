/**
 * Codecs: what a transport does to the bytes of a connection once its handshake is over. framed() makes a stream of a connection
 * and a codec; splice() carries the bytes without streams, if the codec has a direct form.
 */
import { isLent, readMemory } from '../tcp/read-memory.ts'

/** Recodes one connection: bytes in, bytes out. It has no stream and no clock. */
export interface Codec {
  /**
   * Wire bytes that go out before the first that encode() gives, in a write of their own: an observer sees how bytes are spread
   * over segments. This is called once, when there is something to send.
   */
  preface?(): Uint8Array
  /** Takes application bytes and gives wire bytes. */
  encode(payload: Uint8Array): Uint8Array
  /** Takes wire bytes, cut anywhere, and gives application bytes. If it throws, the stream fails. */
  decode(chunk: Uint8Array): Iterable<Uint8Array>
  /** The peer has sent its last byte. Throwing says that it ended in the middle of a frame. */
  end?(): void
  /**
   * How many bytes decode() wants at most for the time being, if that is fewer than a read takes. If decode() throws, the bytes
   * that a peer has sent beyond them are still unread, so that the connection ends with a reset, as boundReads() explains.
   */
  readonly mostDecoded?: number | undefined
  /** The same codec for splice(), without streams. A connection uses one of the two forms only. */
  readonly direct?: DirectCodec | undefined
}

/** A codec that works in memory which all its connections share, each for the length of one call. */
export interface DirectCodec extends Omit<Codec, 'direct'> {
  /**
   * Bytes are read to here. encode() and decode() are given views of it, and keep none. If it is not memory of this package, bytes
   * are copied into it, and the results are copied before they are written: the system never has a pointer to it.
   */
  readonly input: Uint8Array
  /**
   * A codec has this if encode() and decode() give views that the next call overwrites. It keeps the last view as it is, until
   * the function that it returns is called.
   */
  hold?(): () => void
  /** True once the peer has said, by a message of its own, that no more comes. What it still sends is thrown away. */
  readonly isOver?: boolean
  /**
   * Wire bytes that go out last: after the last payload, before the connection ends; or, if decode() threw `error`, before it is
   * closed.
   */
  farewell?(error?: unknown): Uint8Array
}

/** A codec that chooses when it sends: what one write makes goes out in pieces, and the next write waits for the last one. */
export interface PacedCodec extends Omit<Codec, 'encode' | 'preface' | 'direct'> {
  /** `write` resolves once the connection has passed the bytes on. If this rejects, the stream fails. */
  send(payload: Uint8Array, write: (bytes: Uint8Array) => Promise<void>): Promise<void>
}

/**
 * How many bytes of the application are encoded at a time, and written at a time after that. It is as much as the Go programs
 * read, so each burst on the wire is as long as one of theirs and has padding of its own.
 */
export const BURST = 32_768

/**
 * Gives a codec a direct form. That is for a codec that keeps no byte that it is given, and whose results are its own.
 * `mostDecoded` gives Codec's property of that name, if the codec itself does not have it.
 */
export function withDirect(codec: Codec, mostDecoded?: () => number | undefined): Codec {
  // A codec may be an instance of a class, whose methods a spread would lose.
  const methods = {
    encode: (payload: Uint8Array) => codec.encode(payload),
    decode: (chunk: Uint8Array) => codec.decode(chunk),
    ...(codec.preface && { preface: () => codec.preface!() }),
    ...(codec.end && { end: () => codec.end!() }),
  }
  const most = (): number | undefined => (mostDecoded === undefined ? codec.mostDecoded : mostDecoded())
  const direct = {
    ...methods,
    input: readMemory(),
    get mostDecoded() {
      return most()
    },
  }
  return {
    ...methods,
    direct,
    get mostDecoded() {
      return most()
    },
  }
}

/** Gives a codec whose `input` is memory of this package: `codec` itself, or one that copies what goes in and what comes out. */
export function inLentMemory(codec: DirectCodec): DirectCodec {
  return isLent(codec.input) ? codec : new CopyingCodec(codec)
}

/**
 * A codec of a third party that has memory of its own. If it gives that memory away, to another thread for example, its connection
 * fails, and no other one.
 */
class CopyingCodec implements DirectCodec {
  readonly input: Uint8Array
  readonly #codec: DirectCodec

  constructor(codec: DirectCodec) {
    this.#codec = codec
    this.input = readMemory().subarray(0, codec.input.length)
  }

  get mostDecoded(): number | undefined {
    return this.#codec.mostDecoded
  }

  preface(): Uint8Array {
    return Buffer.from(this.#codec.preface?.() ?? [])
  }

  encode(payload: Uint8Array): Uint8Array {
    return Buffer.concat(Array.from(this.#parts(payload), (part) => Buffer.from(this.#codec.encode(part))))
  }

  *decode(chunk: Uint8Array): Generator<Uint8Array, void, undefined> {
    for (const part of this.#parts(chunk)) {
      for (const payload of this.#codec.decode(part)) yield Buffer.from(payload)
    }
  }

  end(): void {
    this.#codec.end?.()
  }

  /** The bytes, put into the codec's memory part by part. Throws RangeError if the codec has given its memory away. */
  *#parts(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
    const { input } = this.#codec
    for (let at = 0; at < bytes.length; at += this.input.length) {
      const part = bytes.subarray(at, at + this.input.length)
      input.set(part)
      yield input.subarray(0, part.length)
    }
  }
}
