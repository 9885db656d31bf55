/**
 * What the two versions of Elligator 2 have in common.
 *
 *     wasm     WebAssembly, 0.03 ms for an attempt at a key pair, in constant time
 *     plain    JavaScript, ten times as long, and not in constant time; where WebAssembly is missing
 */

export interface ElligatorKey {
  /** u, 32 bytes: what goes into transcripts. It is not the plain X25519 public key of the same private key. */
  readonly publicKey: Uint8Array
  /** 32 bytes for the wire, indistinguishable from random ones. */
  readonly representative: Uint8Array
}

export interface Elligator2 {
  /** One attempt at a key pair, from `elligatorSeedLength` random bytes. */
  readonly key: (seed: Uint8Array) => ElligatorKey | undefined
  /** The public key of 32 bytes. */
  readonly decode: (representative: Uint8Array) => Uint8Array
}

/** Bytes of randomness that one attempt at a key pair takes: the private key, and the tweak. */
export const elligatorSeedLength = 33
