/**
 * The server's side of the handshake: bytes in, bytes out. handshake.ts has the picture.
 *
 * A peer that cannot make a mark and a MAC learns nothing from what happens here: no failure has an answer, comparisons take the
 * same time whatever they find, and all three hours are tried each time.
 */
import { decodeRepresentative } from '../../crypto/elligator2.ts'
import { equalBytes } from '../../crypto/equal-bytes.ts'
import { hmac16, macLength } from '../../crypto/hmac.ts'
import { ntorExpand, ntorServer } from '../../crypto/ntor.ts'
import {
  clientHelloOverhead,
  keyMaterialLength,
  maxHandshakeLength,
  minClientHello,
  representativeLength,
} from './constants.ts'
import { helloMac, hourOfMac, hoursAhead, more, splitMac } from './handshake.ts'
import type { EphemeralPair } from './key-pool.ts'
import type { ServerIdentity } from './server-identity.ts'
import { handshakeMacKey } from './server-identity.ts'

interface ClientHello {
  readonly representative: Buffer
  /** The hour for which the client has signed; the answer is signed for the same hour. */
  readonly hour: number
}

export type ServerProgress =
  | { readonly state: 'more' }
  /** There is no mark in the place where one has to be. */
  | { readonly state: 'failed'; readonly stage: 'mark' }
  /** There is a mark, and a MAC that does not fit. `hoursAhead` looks for the hour that it fits, which takes its time. */
  | { readonly state: 'failed'; readonly stage: 'mac'; hoursAhead(): number | undefined }
  /**
   * The hello is authentic. The caller has to ask first whether `mac` was here before, and then refuse a hello that has `trailing`
   * bytes after it, which no honest client sends.
   */
  | { readonly state: 'done'; readonly hello: ClientHello; readonly mac: Buffer; readonly trailing: boolean }

export interface HelloReaderOptions {
  readonly identity: ServerIdentity
  /** The current hour since 1970. */
  readonly hour: () => number
}

/** Reads the hello of one connection: the function takes all that has come so far, as often as more comes. */
export function helloReader({ identity, hour }: HelloReaderOptions): (bytes: Buffer) => ServerProgress {
  const key = handshakeMacKey(identity)
  let mark: Buffer | undefined
  return (bytes) => {
    if (bytes.length < clientHelloOverhead) return more
    const representative = bytes.subarray(0, representativeLength)
    mark ??= hmac16(key, representative)
    // The mark is looked for only at the tail: an honest client sends nothing after its hello before it has the answer.
    const end = Math.min(bytes.length, maxHandshakeLength)
    const markAt = end - 2 * macLength
    if (end < minClientHello || !equalBytes(mark, bytes.subarray(markAt, markAt + macLength))) {
      return bytes.length >= maxHandshakeLength ? { state: 'failed', stage: 'mark' } : more
    }
    const { signed, mac } = splitMac(bytes, markAt)
    const now = hour()
    const signedFor = hourOfMac(key, signed, mac, [now, now - 1, now + 1])
    if (signedFor === undefined) {
      return { state: 'failed', stage: 'mac', hoursAhead: () => hoursAhead(key, signed, mac, now) }
    }
    return { state: 'done', hello: { representative, hour: signedFor }, mac, trailing: bytes.length !== end }
  }
}

export interface AnswerOptions {
  readonly identity: ServerIdentity
  readonly pair: EphemeralPair
  readonly hello: ClientHello
  /** 0 to 8051 random bytes. */
  readonly padding: Uint8Array
}

export interface Answer {
  /** The first frame is not in it, and has to be in the same write. */
  readonly bytes: Buffer
  readonly keyMaterial: Buffer
}

/** The answer to a hello; undefined if the client's key is of low order. */
export function answerHello({ identity, pair, hello, padding }: AnswerOptions): Answer | undefined {
  const result = ntorServer({
    nodeId: identity.nodeId,
    identity,
    ephemeral: pair,
    peer: decodeRepresentative(hello.representative),
  })
  if (result === undefined) return undefined
  const key = handshakeMacKey(identity)
  const signed = Buffer.concat([pair.representative, result.auth, padding, hmac16(key, pair.representative)])
  return {
    bytes: Buffer.concat([signed, helloMac(key, signed, hello.hour)]),
    keyMaterial: ntorExpand(result.keySeed, keyMaterialLength),
  }
}
