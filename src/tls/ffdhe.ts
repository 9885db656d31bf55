/**
 * The primes of the finite field groups (RFC 7919, appendix A), computed from the digits of e as they are defined:
 *
 *     p = 2^b − 2^(b−64) + (⌊2^(b−130) e⌋ + X) 2^64 − 1
 */

/** X, the least number that makes p and (p − 1) / 2 prime. */
const addends = { 2048: 560_316n, 3072: 2_625_351n } as const

const primes = new Map<number, Buffer>()

export function ffdhePrime(bits: keyof typeof addends): Buffer {
  let prime = primes.get(bits)
  if (prime === undefined) {
    const b = BigInt(bits)
    const number = 2n ** b - 2n ** (b - 64n) + (scaledE(b - 130n) + addends[bits]) * 2n ** 64n - 1n
    prime = Buffer.from(number.toString(16), 'hex')
    primes.set(bits, prime)
  }
  return prime
}

/** ⌊2^bits e⌋, by the series of 1/n!, with digits to spare for what each term loses. */
function scaledE(bits: bigint): bigint {
  const spare = 64n
  let sum = 0n
  let term = 2n ** (bits + spare)
  for (let n = 1n; term > 0n; n++) {
    sum += term
    term /= n
  }
  return sum / 2n ** spare
}
