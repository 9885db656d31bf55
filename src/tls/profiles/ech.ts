/** How long the payload of a GREASE ECH is. */
import type { EchPayload } from './profile.ts'

const AEAD_TAG_LENGTH = 16

/**
 * As NSS pads an inner hello (RFC 9849, section 6.1.3): with a name of so many letters, and a pre_shared_key of so many bytes in all,
 * it is filled up to one less than the next multiple of 32.
 */
export function echPayloadLength(
  { base, leastName }: Exclude<EchPayload, { oneOf: unknown }>,
  nameLength: number,
  pskLength: number,
): number {
  const inner = base + Math.max(nameLength, leastName) + pskLength
  return inner + (31 - (inner % 32)) + AEAD_TAG_LENGTH
}
