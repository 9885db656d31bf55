/** Elligator 2 and the curve as their definitions read: affine points, one power for each question. Slow and obvious. */
const p = 2n ** 255n - 19n
const A = 486662n

interface AffinePoint {
  readonly x: bigint
  readonly y: bigint
}

const mod = (a: bigint): bigint => ((a % p) + p) % p

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  for (let b = mod(base), e = exponent; e > 0n; e >>= 1n, b = (b * b) % p) if (e & 1n) result = (result * b) % p
  return result
}

export const inverse = (a: bigint): bigint => power(a, p - 2n)
export const isSquare = (a: bigint): boolean => power(a, (p - 1n) / 2n) !== p - 1n

function squareRoot(a: bigint): bigint | undefined {
  const candidate = power(a, (p + 3n) / 8n)
  return [candidate, mod(candidate * power(2n, (p - 1n) / 4n))].find((root) => mod(root * root - a) === 0n)
}

/** -x² + y² = 1 + d x² y² */
const d = mod(-121665n * inverse(121666n))

function add(a: AffinePoint, b: AffinePoint): AffinePoint {
  const t = mod(d * a.x * b.x * a.y * b.y)
  const both = inverse(1n - t * t)
  return { x: mod((a.x * b.y + a.y * b.x) * (1n - t) * both), y: mod((a.y * b.y + a.x * b.x) * (1n + t) * both) }
}

function multiply(scalar: bigint, point: AffinePoint): AffinePoint {
  let result: AffinePoint = { x: 0n, y: 1n }
  for (let k = scalar, b = point; k > 0n; k >>= 1n, b = add(b, b)) if (k & 1n) result = add(result, b)
  return result
}

const littleEndian = (bytes: Uint8Array): bigint => bytes.reduceRight((n, byte) => (n << 8n) | BigInt(byte), 0n)
const toBytes = (n: bigint): Uint8Array =>
  Uint8Array.from({ length: 32 }, (_, i) => Number((n >> BigInt(8 * i)) & 255n))

/** The base point of Ed25519: y = 4/5, x even. */
const baseY = mod(4n * inverse(5n))
const baseX = squareRoot(mod((baseY * baseY - 1n) * inverse(d * baseY * baseY + 1n)))!
const basePoint: AffinePoint = { x: baseX % 2n === 0n ? baseX : p - baseX, y: baseY }

/** The point of order 8 that is in use. */
const point8: AffinePoint = {
  x: littleEndian(Buffer.from('4ad145c54646a1de38e2e513703c195cbb4ade38329933e9284a3906a0b9d51f', 'hex')),
  y: littleEndian(Buffer.from('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', 'hex')),
}

export function referenceKey(seed: Uint8Array): { publicKey: Uint8Array; representative: Uint8Array } | undefined {
  const sk = littleEndian(seed.subarray(0, 32))
  const tweak = seed.at(32)!
  const clampedKey = (sk & (2n ** 255n - 8n) & (2n ** 254n - 1n)) | (2n ** 254n)
  const { y } = add(multiply(clampedKey, basePoint), multiply(sk & 7n, point8))
  const u = mod((1n + y) * inverse(1n - y))
  const test = mod(-2n * u * (u + A))
  if (test === 0n || !isSquare(test)) return undefined
  const square = tweak & 1 ? mod(-(u + A) * inverse(2n * u)) : mod(-u * inverse(2n * (u + A)))
  const root = squareRoot(square)!
  const representative = toBytes(mod(2n * root) % 2n === 0n ? root : p - root)
  representative[31] = representative.at(31)! | (tweak & 0xc0)
  return { publicKey: toBytes(u), representative }
}

export function referenceMap(representative: Uint8Array): Uint8Array {
  const r = mod(littleEndian(representative) & (2n ** 254n - 1n))
  const w = mod(-A * inverse(1n + 2n * r * r))
  const e = mod(w ** 3n + A * w * w + w)
  return toBytes(e === 0n || isSquare(e) ? w : mod(-w - A))
}
