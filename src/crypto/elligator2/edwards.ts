/**
 * Multiples of Ed25519's base point in BigInt arithmetic, on -x² + y² = 1 + d x² y².
 */
import { inverse, mod, p } from './field.ts'

/** x = X/Z, y = Y/Z, xy = T/Z */
interface Point {
  readonly x: bigint
  readonly y: bigint
  readonly z: bigint
  readonly t: bigint
}

/** 2d */
const d2 = mod(-2n * 121665n * inverse(121666n))

const affine = (x: bigint, y: bigint): Point => ({ x, y, z: 1n, t: (x * y) % p })
const zero: Point = affine(0n, 1n)
const base = affine(0x216936d3cd6e53fec0a4e231fdd6dc5c692cc7609525a7b2c9562d608f25d51an, mod(4n * inverse(5n)))
/** The point of order 8 that obfs4proxy has. */
const low = affine(
  0x1fd5b9a006394a28e933993238de4abb5c193c7013e5e238dea14646c545d14an,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
)

/** Hisil, Wong, Carter and Dawson 2008, add-2008-hwcd-3: holds for all pairs of points, equal ones too. */
function add(a: Point, b: Point): Point {
  const minus = ((a.y - a.x) * (b.y - b.x)) % p
  const plus = ((a.y + a.x) * (b.y + b.x)) % p
  const c = ((a.t * b.t) % p) * d2
  const z2 = 2n * a.z * b.z
  const [e, f, g, h] = [plus - minus, mod(z2 - c), mod(z2 + c), plus + minus]
  return { x: (e * f) % p, y: (g * h) % p, z: (f * g) % p, t: (e * h) % p }
}

/** 0 to 15 times `point`. */
function multiplesOf(point: Point): Point[] {
  const points = [zero]
  for (let i = 1; i < 16; i++) points.push(add(points[i - 1]!, point))
  return points
}

let table: Point[][] | undefined

/** The multiples of 16^i times the base point, for i of 0 to 63; made on first use, which takes some milliseconds. */
function baseTable(): Point[][] {
  if (table !== undefined) return table
  table = []
  for (let i = 0, point = base; i < 64; i++) {
    const row = multiplesOf(point)
    table.push(row)
    point = add(row[15]!, point)
  }
  return table
}

const lowOrderPoints = multiplesOf(low)

/** `scalar` (below 2^256) times the base point, and `component` (0 to 7) times the point of order 8. */
export function multiplyBase(scalar: bigint, component: number): { readonly y: bigint; readonly z: bigint } {
  let sum = lowOrderPoints[component] ?? zero
  let rest = scalar
  for (const row of baseTable()) {
    sum = add(sum, row[Number(rest & 15n)]!)
    rest >>= 4n
  }
  return sum
}
