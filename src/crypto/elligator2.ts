/**
 * Elligator 2 for Curve25519: public keys that look like 32 random bytes on the wire.
 *
 *     key pair        sk, 32 random bytes ── u, the public key ── representative r, 254 bits and 2 random ones
 *     representative  32 bytes, any ── u
 *
 * The map is map_to_curve_elligator2_curve25519 of RFC 9380 (section 6.7.1, Z = 2), x-coordinate only. Keys are made as
 * obfs4proxy 0.0.14 makes them: with a component of low order, without which an observer who decodes many
 * representatives would find all of them in the subgroup of prime order, in which random bytes hardly ever land.
 *
 * WebAssembly does the arithmetic, or JavaScript in plain mode and if there is no WebAssembly. Both give the same bytes.
 */
import { isPlain } from '../plain.ts'
import type { Elligator2, ElligatorKey } from './elligator2/implementation.ts'
import { plainElligator2 } from './elligator2/plain.ts'
import { wasmElligator2 } from './elligator2/wasm.ts'

export { elligatorSeedLength } from './elligator2/implementation.ts'
export type { ElligatorKey } from './elligator2/implementation.ts'

let chosen: Elligator2 | undefined

/** The fastest implementation that this Node can run. It is made on first use: a process that runs no obfs4 does not pay for it. */
function elligator2(): Elligator2 {
  return (chosen ??= (isPlain() ? undefined : wasmElligator2()) ?? plainElligator2)
}

/**
 * Makes one attempt at a key pair from 33 random bytes. It is undefined for one half of them, as one half of all points have no
 * representative. All 256 bits of the private key count: the bits that X25519 ignores choose the low-order component.
 */
export function elligatorKey(seed: Uint8Array): ElligatorKey | undefined {
  return elligator2().key(seed)
}

/** Gives the public key of a representative. Any 32 bytes are one. */
export function decodeRepresentative(representative: Uint8Array): Uint8Array {
  return elligator2().decode(representative)
}
