/**
 * The sizes of obfs4's frames and of the packets in them, in bytes, each from those that it follows from.
 */
import { drbgSeedLength } from '../siphash-drbg.ts'
import { secretboxTagLength } from '../secretbox.ts'

/** Frames: a masked length, and a box. */
export const frameLengthLength = 2
const frameOverhead: number = frameLengthLength + secretboxTagLength

/** A frame fits into one TCP segment: Ethernet's 1500, without the headers of IP and TCP and TCP's timestamps. */
export const maxFrameLength: number = 1500 - 40 - 12
export const minBoxLength: number = secretboxTagLength
export const maxBoxLength: number = maxFrameLength - frameLengthLength

/** Packets, the plaintext of boxes: type (1) and length of the payload (2) before payload and padding. */
export const packetHeaderLength = 3
export const packetOverhead: number = frameOverhead + packetHeaderLength
export const maxPacketPayload: number = maxFrameLength - packetOverhead

/** The keys of one direction: box key, prefix of the nonces, and seed of the length mask. */
export const boxKeyLength = 32
export const noncePrefixLength = 16
export const directionKeysLength: number = boxKeyLength + noncePrefixLength + drbgSeedLength

/** What `length` bytes of payload come to as frames without padding. */
export function framesLength(length: number): number {
  return length + Math.ceil(length / maxPacketPayload) * packetOverhead
}
