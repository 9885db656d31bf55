/**
 * The frame kernel: seals and opens obfs4's frames, as many as there are in one call.
 *
 *     frame    length (2), masked | tag (16) | ciphertext of a packet
 *     packet   type (1) | length of the payload (2) | payload | padding, zeros
 *
 * It works on one direction of one connection at a time, whose state the caller puts at STATE and takes away again. Nothing is
 * copied: a packet's header is written over the three bytes before its payload, which belong to the payload before.
 */
import { hsalsa20 } from './hsalsa20'
import { box } from './secretbox'
import { DRBG_LENGTH, nextBlock, seedDrbg } from './siphash'

/** The parts, each of which has published vectors. */
export { box, hsalsa20, nextBlock, seedDrbg }

const LENGTH_LENGTH: u32 = 2
const TAG_LENGTH: u32 = 16
const HEADER_LENGTH: u32 = 3
const MAX_BOX: u32 = 1446
const MAX_PAYLOAD: u32 = MAX_BOX - TAG_LENGTH - HEADER_LENGTH
const PAYLOAD_TYPE: u8 = 0

/** State: key of the boxes (32) | counter (8) | generator (48) | length of the box that is read (4) | whether it is forged (4). */
const COUNTER: usize = 32
const DRBG: usize = 40
const EXPECTED: usize = DRBG + DRBG_LENGTH
const FORGED: usize = EXPECTED + 4
export const STATE_LENGTH: usize = FORGED + 4
export const STATE: usize = memory.data(96, 16)

/** Of the last open(): bytes taken, bytes of payload given, and type and length of the packet that it stopped behind. */
export const RESULT: usize = memory.data(16, 16)

/** Why open() stopped: the next frame is not whole, … */
const MORE: u32 = 0
/** … it gave a packet, which the payload's bytes are followed by, … */
const PACKET: u32 = 1
/** … or a length cannot be: expect() sets another. */
const LENGTH: u32 = 2
/** Failures: nothing can be opened any more. */
const ALTERED: u32 = 3
const NO_HEADER: u32 = 4
const TOO_LONG: u32 = 5
const USED_UP: u32 = 6

const TAG: usize = memory.data(16, 16)
/** A packet without payload; what is before it is its header's, and what is behind, the slack of box(). */
export const PADDING: usize = memory.data(64 + 1427 + 256, 16) + 64
/** Keys: box key (32) | prefix of the nonces (16) | seed of the generator (24). */
export const KEYS: usize = memory.data(72, 16)

/** A fresh state, of the keys at KEYS. */
export function init(): void {
  hsalsa20(STATE, KEYS, KEYS + 32)
  seedDrbg(STATE + DRBG, KEYS + 48)
  store<u64>(STATE, 1, COUNTER)
  store<u64>(STATE, 0, EXPECTED)
}

/** The first two bytes of the next block, as they stand. */
function mask(): u16 {
  return <u16>nextBlock(STATE + DRBG)
}

/** One frame: a payload of `length` bytes and `padding` zeros, which lie behind it. Gives its length, or 0: no nonce is left. */
export function seal(type: u32, payload: usize, length: u32, padding: u32, target: usize): u32 {
  const counter = load<u64>(STATE, COUNTER)
  if (counter == 0) return 0
  store<u64>(STATE, counter + 1, COUNTER)
  const packet = payload - HEADER_LENGTH
  store<u8>(packet, type)
  store<u16>(packet, bswap<u16>(<u16>length), 1)
  const size = HEADER_LENGTH + length + padding
  const tag = target + LENGTH_LENGTH
  const ciphertext = tag + TAG_LENGTH
  box(STATE, bswap<u64>(counter), packet, ciphertext, size, ciphertext, tag)
  store<u16>(target, bswap<u16>(<u16>(TAG_LENGTH + size)) ^ mask())
  return LENGTH_LENGTH + TAG_LENGTH + size
}

/** The frames of `length` bytes of payload. Gives their length, or 0: no nonce is left. */
export function sealAll(payload: usize, length: u32, target: usize): u32 {
  let out = target
  while (length > 0) {
    const size = min<u32>(length, MAX_PAYLOAD)
    const sealed = seal(PAYLOAD_TYPE, payload, size, 0, out)
    if (sealed == 0) return 0
    out += sealed
    payload += size
    length -= size
  }
  return <u32>(out - target)
}

/** The box that is read has `length` bytes instead of a number that could not be, and will fail whatever is in it. */
export function expect(length: u32): void {
  store<u32>(STATE, length, EXPECTED)
  store<u32>(STATE, 1, FORGED)
}

/**
 * Opens the frames in `length` bytes from `source` on. Payloads are written behind each other, from `target` on. Stops
 * behind each packet of another type, or with `each` behind every packet.
 */
export function open(source: usize, length: u32, target: usize, each: bool): u32 {
  const end = source + length
  let at = source
  let out = target
  let stop = MORE
  for (;;) {
    let expected = load<u32>(STATE, EXPECTED)
    if (expected == 0) {
      if (end - at < LENGTH_LENGTH) break
      expected = bswap<u16>(load<u16>(at) ^ mask())
      if (expected < TAG_LENGTH || expected > MAX_BOX) {
        stop = LENGTH
        break
      }
      store<u32>(STATE, expected, EXPECTED)
    }
    if (end - at < LENGTH_LENGTH + expected) break
    stop = openBox(at + LENGTH_LENGTH, expected - TAG_LENGTH, out)
    if (stop != PACKET) break
    at += LENGTH_LENGTH + expected
    store<u32>(STATE, 0, EXPECTED)
    if (each || load<u32>(RESULT, 8) != PAYLOAD_TYPE) break
    out += load<u32>(RESULT, 12)
    stop = MORE
  }
  store<u32>(RESULT, <u32>(at - source))
  store<u32>(RESULT, <u32>(out - target), 4)
  return stop
}

/** Opens a box of `size` bytes behind its tag. The payload of its packet is written to `out`. */
function openBox(tag: usize, size: u32, out: usize): u32 {
  const counter = load<u64>(STATE, COUNTER)
  if (counter == 0) return USED_UP
  store<u64>(STATE, counter + 1, COUNTER)
  const packet = out - HEADER_LENGTH
  const ciphertext = tag + TAG_LENGTH
  // The header lands on the end of the payload before.
  const covered = load<u32>(packet)
  box(STATE, bswap<u64>(counter), ciphertext, packet, size, ciphertext, TAG)
  const type = load<u8>(packet)
  const length = bswap<u16>(load<u16>(packet, 1))
  store<u16>(packet, <u16>covered)
  store<u8>(packet, <u8>(covered >> 16), 2)
  // One comparison of all 128 bits: it takes as long whatever differs.
  const differs =
    (load<u64>(TAG) ^ load<u64>(tag)) | (load<u64>(TAG, 8) ^ load<u64>(tag, 8)) | (<u64>load<u32>(STATE, FORGED))
  if (differs != 0) return ALTERED
  if (size < HEADER_LENGTH) return NO_HEADER
  if (<u32>length > size - HEADER_LENGTH) return TOO_LONG
  store<u32>(RESULT, type, 8)
  store<u32>(RESULT, length, 12)
  return PACKET
}

/** Where memory is free from. */
export function heap(): usize {
  return __heap_base
}
