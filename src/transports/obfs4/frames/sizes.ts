/**
 * The sizes of obfs4's frames and of the packets in them, in bytes. Each is derived from those that it follows from.
 */
import { drbgSeedLength } from '../../../crypto/siphash-drbg.ts'
import { secretboxTagLength } from '../../../crypto/secretbox.ts'

/** A frame is a masked length and a box. */
export const frameLengthLength = 2
const frameOverhead: number = frameLengthLength + secretboxTagLength

/** A frame fits into one TCP segment: Ethernet's 1500 bytes, less the headers of IP and TCP and TCP's timestamps. */
export const maxFrameLength: number = 1500 - 40 - 12
export const minBoxLength: number = secretboxTagLength
export const maxBoxLength: number = maxFrameLength - frameLengthLength

/** A packet is the plaintext of a box: type (1), length of the payload (2), payload and padding. */
export const packetHeaderLength = 3
export const packetOverhead: number = frameOverhead + packetHeaderLength
export const maxPacketPayload: number = maxFrameLength - packetOverhead

/** The keys of one direction are the box key, the prefix of the nonces, and the seed of the length mask. */
export const boxKeyLength = 32
export const noncePrefixLength = 16
export const directionKeysLength: number = boxKeyLength + noncePrefixLength + drbgSeedLength

/** How long the frames of `length` bytes of payload are, without padding. */
export function framesLength(length: number): number {
  return length + Math.ceil(length / maxPacketPayload) * packetOverhead
}
