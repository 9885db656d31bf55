/**
 * The client's side of the handshake: bytes in, bytes out. handshake.ts has the picture.
 */
import { decodeRepresentative } from '../../crypto/elligator2.ts'
import type { HmacKey } from '../../crypto/hmac.ts'
import { equalBytes } from '../../crypto/equal-bytes.ts'
import { hmac16, macLength } from '../../crypto/hmac.ts'
import { ntorAuthLength, ntorClient, ntorExpand } from '../../crypto/ntor.ts'
import type { BridgeIdentity } from './cert.ts'
import { keyMaterialLength, maxHandshakeLength, representativeLength } from './constants.ts'
import { helloMac, hoursAhead, more, splitMac } from './handshake.ts'
import type { EphemeralPair } from './key-pool.ts'
import { handshakeMacKey } from './server-identity.ts'

const authEnd = representativeLength + ntorAuthLength

export interface ClientHandshakeOptions {
  readonly bridge: BridgeIdentity
  readonly pair: EphemeralPair
  /** The hour since 1970 in which the hello is made. */
  readonly hour: number
  /** 77 to 8128 random bytes. */
  readonly padding: Uint8Array
}

export type ClientProgress =
  | { readonly state: 'more' }
  | { readonly state: 'failed'; readonly stage: 'mark' | 'mac' | 'auth' }
  /** The answer is signed for another hour than the hello was; the bridge's clock is that much ahead. */
  | { readonly state: 'failed'; readonly stage: 'hour'; readonly hoursAhead: number }
  /** Bytes after the answer are the beginning of the frames. */
  | { readonly state: 'done'; readonly keyMaterial: Buffer; readonly surplus: Buffer }

export interface ClientHandshake {
  /** The message to send at once; nothing may follow it before the answer has come. */
  readonly hello: Buffer
  /** Does, while the bridge is at its answer, what needs nothing of it. */
  prepare(): void
  /** Takes all that has come so far, as often as more comes. */
  read(bytes: Buffer): ClientProgress
}

export function clientHandshake(options: ClientHandshakeOptions): ClientHandshake {
  const { bridge, pair, hour, padding } = options
  const key = handshakeMacKey(bridge)
  const signed = Buffer.concat([pair.representative, padding, hmac16(key, pair.representative)])
  let ntor: Ntor | undefined
  const prepared = (): Ntor =>
    (ntor ??= ntorClient({ nodeId: bridge.nodeId, identity: bridge.publicKey, ephemeral: pair }))
  return {
    hello: Buffer.concat([signed, helloMac(key, signed, hour)]),
    prepare: () => void prepared(),
    read: (bytes) => readAnswer(bytes, key, hour, prepared),
  }
}

type Ntor = ReturnType<typeof ntorClient>

function readAnswer(bytes: Buffer, key: HmacKey, hour: number, ntor: () => Ntor): ClientProgress {
  if (bytes.length < authEnd + 2 * macLength) return more
  const representative = bytes.subarray(0, representativeLength)
  const markAt = bytes.subarray(0, maxHandshakeLength).indexOf(hmac16(key, representative), authEnd)
  const end = markAt + 2 * macLength
  if (markAt === -1 || end > Math.min(bytes.length, maxHandshakeLength)) {
    return bytes.length >= maxHandshakeLength ? { state: 'failed', stage: 'mark' } : more
  }
  // The hour is the hello's: the answer may come in the next one.
  const { signed, mac } = splitMac(bytes, markAt)
  if (!equalBytes(helloMac(key, signed, hour), mac)) {
    const ahead = hoursAhead(key, signed, mac, hour)
    return ahead === undefined
      ? { state: 'failed', stage: 'mac' }
      : { state: 'failed', stage: 'hour', hoursAhead: ahead }
  }
  const peer = decodeRepresentative(representative)
  const result = ntor()(peer)
  const auth = bytes.subarray(representativeLength, authEnd)
  if (result === undefined || !equalBytes(result.auth, auth)) return { state: 'failed', stage: 'auth' }
  return { state: 'done', keyMaterial: ntorExpand(result.keySeed, keyMaterialLength), surplus: bytes.subarray(end) }
}
