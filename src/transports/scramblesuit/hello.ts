/**
 * The messages of both handshakes, which are all of one form, and the client's reading of the bridge's answer.
 *
 *     UniformDH   client  X(192) | P(0…1308) | M | MAC        key = k_B
 *                 bridge  Y(192) | P(0…1224) | M | MAC        key = k_B, E as the client wrote it
 *     ticket      client  T(112) | P(0…1388) | M | MAC        key = HMAC key client → server of the ticket's master key
 *
 *     M = HMAC16(key, X)     MAC = HMAC16(key, X | P | M | E)     E = hours since 1970, in decimal
 */
import { randomBytes, randomInt } from 'node:crypto'
import { equalBytes } from '../../crypto/equal-bytes.ts'
import { hmac16, macLength } from '../../crypto/hmac.ts'
import { uniformDhLength } from '../../crypto/uniform-dh.ts'
import { PtError } from '../../error.ts'

/** The longest message, padding included. */
export const maxHello = 1532
/** The mark and the MAC. */
export const tailLength: number = 2 * macLength
/** The bytes of a session ticket. */
export const ticketLength = 112

/**
 * The bridge's answer, with its padding, fits into one segment of 1448 bytes. obfs4proxy's client ends with its whole process
 * if a mark arrives without its MAC, so the two must not be split on the way.
 */
const maxAnswer = 1448

/** Returns the hour that MACs are bound to. `now` is in milliseconds since 1970. */
export function epochOf(now: number): number {
  return Math.floor(now / 3_600_000)
}

/** Returns the seconds in which state files and tickets count. `now` is in milliseconds since 1970. */
export function seconds(now: number): number {
  return Math.floor(now / 1000)
}

/** Makes a message of `lead` (X, Y or T) in the hour `epoch`. */
export function formatHello(key: Uint8Array, lead: Uint8Array, padding: Uint8Array, epoch: number): Buffer {
  const mark = hmac16(key, lead)
  return Buffer.concat([lead, padding, mark, hmac16(key, lead, padding, mark, String(epoch))])
}

/** Makes the padding for a message of a client. */
export function helloPadding(lead: Uint8Array): Buffer {
  return paddingUpTo(maxHello - tailLength - lead.length)
}

/** Makes the padding for the answer of a bridge. */
export function answerPadding(): Buffer {
  return paddingUpTo(maxAnswer - tailLength - uniformDhLength)
}

function paddingUpTo(length: number): Buffer {
  return randomBytes(randomInt(length + 1))
}

/**
 * Reads the bridge's answer to a UniformDH hello of the hour `epoch`: undefined while bytes are missing, else Y and how many
 * bytes the answer took. Throws PT_HANDSHAKE, stage `mark` or `mac`.
 */
export function readAnswer(
  key: Uint8Array,
  bytes: Buffer,
  epoch: number,
): { publicKey: Buffer; size: number } | undefined {
  if (bytes.length < uniformDhLength + tailLength) return undefined
  const publicKey = bytes.subarray(0, uniformDhLength)
  const message = bytes.subarray(0, maxHello)
  const at = message.indexOf(hmac16(key, publicKey), uniformDhLength)
  if (at === -1 || at + tailLength > maxHello) {
    if (bytes.length < maxHello) return undefined
    throw new PtError(
      'PT_HANDSHAKE',
      `no mark within ${maxHello} bytes of the bridge's answer: most likely it is no scramblesuit bridge, or has another password`,
      { stage: 'mark' },
    )
  }
  const size = at + tailLength
  if (bytes.length < size) return undefined
  const [head, mac] = [bytes.subarray(0, size - macLength), bytes.subarray(size - macLength, size)]
  if (equalBytes(hmac16(key, head, String(epoch)), mac)) return { publicKey, size }
  throw new PtError(
    'PT_HANDSHAKE',
    "the MAC of the bridge's answer is wrong: most likely it was changed on the way, or is an old answer played back",
    { stage: 'mac' },
  )
}
