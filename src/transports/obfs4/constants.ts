/**
 * The sizes of obfs4, each from those that it follows from. All are bytes, unless the comment says otherwise.
 */
import { macLength } from '../../crypto/hmac.ts'
import { directionKeysLength, maxFrameLength, packetOverhead } from './frames/sizes.ts'
import { nodeIdLength, ntorAuthLength } from '../../crypto/ntor.ts'
import { drbgSeedLength } from '../../crypto/siphash-drbg.ts'
import { x25519KeyLength } from '../../crypto/x25519.ts'

export { directionKeysLength, maxBoxLength, maxFrameLength, maxPacketPayload, packetOverhead } from './frames/sizes.ts'

/** The first frame of a server holds the seed of its length distribution. */
const seedFrameLength: number = packetOverhead + drbgSeedLength

/** Handshake messages. */
export const maxHandshakeLength = 8192
export const representativeLength: number = x25519KeyLength
export const clientHelloOverhead: number = representativeLength + 2 * macLength
const serverHelloOverhead: number = representativeLength + ntorAuthLength + 2 * macLength

/** With the least padding both hellos have the same length; the server's includes its first frame. */
export const minClientPadding: number = serverHelloOverhead + seedFrameLength - clientHelloOverhead
export const maxClientPadding: number = maxHandshakeLength - clientHelloOverhead
export const maxServerPadding: number = maxHandshakeLength - (serverHelloOverhead + seedFrameLength)
export const minClientHello: number = clientHelloOverhead + minClientPadding

/** What a handshake's key material holds: the keys of each direction. */
export const keyMaterialLength: number = 2 * directionKeysLength

/** A bridge's identity as `cert` has it. */
export const certLength: number = nodeIdLength + x25519KeyLength

/** Distributions: lengths of bursts modulo a frame's, and pauses in units of so many µs. */
export const lengthRange: { readonly min: number; readonly max: number } = { min: 0, max: maxFrameLength }
export const pauseRange: { readonly min: number; readonly max: number } = { min: 0, max: 100 }
export const pauseUnit = 100

/** Milliseconds. */
export const clientHandshakeTimeout = 60_000
export const serverHandshakeTimeout = 30_000
export const msPerHour = 3_600_000
/** Three hours, as the MAC of a hello is good in its own hour, the one before and the one after. */
export const replayTtl: number = 3 * msPerHour
/** The upper end, in seconds, of what a bridge adds to the time after which it closes failed handshakes. */
export const maxCloseDelay = 60
