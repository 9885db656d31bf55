/**
 * What the two implementations of Elligator 2 have in common.
 *
 *     wasm     WebAssembly, 0.03 ms for an attempt at a key pair, in constant time
 *     plain    JavaScript, ten times as long, and not in constant time; it is used if WebAssembly is missing
 */

export interface ElligatorKey {
  /** u, 32 bytes, which goes into transcripts. It is not the plain X25519 public key of the same private key. */
  readonly publicKey: Uint8Array
  /** 32 bytes for the wire, indistinguishable from random ones. */
  readonly representative: Uint8Array
}

export interface Elligator2 {
  /** Makes one attempt at a key pair, from `elligatorSeedLength` random bytes. */
  readonly key: (seed: Uint8Array) => ElligatorKey | undefined
  /** Gives the public key that 32 bytes represent. */
  readonly decode: (representative: Uint8Array) => Uint8Array
}

/** How many random bytes one attempt at a key pair takes: the private key and the tweak. */
export const elligatorSeedLength = 33
