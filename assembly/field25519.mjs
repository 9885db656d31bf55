/**
 * The field of p = 2^255 - 19: the text of an AssemblyScript module.
 *
 *     element    ten signed limbs of 26, 25, 26, … 25 bits, each in an i32, lowest first: 40 bytes
 *
 * A product's columns have to be local variables, a hundred terms of them, and AssemblyScript has no macros: so each rule stands here
 * once, as a function that gives its text. Nothing branches or looks up by a value.
 *
 * How large limbs get, as multiples of half a limb's range (2^25 and 2^24): those of a product are at most 1.01, and a
 * product's operands may be up to 3.3 (Bernstein's ref10, fe_mul). So up to three products may be added or subtracted before
 * the next multiplication; each function that does more says so.
 */

const p = 2n ** 255n - 19n
const limbs = Array.from({ length: 10 }, (_, i) => i)
const each = (text) => limbs.map(text).join('\n')
const bits = (i) => 26 - (i % 2)
/** The bits below limb i. */
const offset = (i) => Math.ceil(25.5 * i)

/** Of an element, where two limbs are moved at a time. */
const eachWord = (text) => [0, 8, 16, 24, 32].map(text).join('\n')

const load = (name, at) => each((i) => `let ${name}${i} = <i64>load<i32>(${at}, ${4 * i})`)
const store = (name, at) => each((i) => `store<i32>(${at}, <i32>${name}${i}, ${4 * i})`)

/**
 * The column k of a product. Two odd limbs lie half a bit too low each, which makes a factor of 2; what lies above 2^255 comes back
 * 19-fold.
 */
function column(k, product) {
  const terms = []
  for (const i of limbs) {
    const j = (k - i + 10) % 10
    terms.push(product(i, j, i % 2 === 1 && j % 2 === 1, i + j >= 10))
  }
  return terms.filter((term) => term !== undefined).join(' + ')
}

const multiplied = (i, j, doubled, wrapped) => `f${i}${doubled ? 'x2' : ''} * g${j}${wrapped ? 'x19' : ''}`

/** Each mixed term once, with twice its factor. */
function squared(i, j, doubled, wrapped) {
  if (i > j) return undefined
  const factor = (i === j ? 1 : 2) * (doubled ? 2 : 1)
  return `f${i}${factor === 1 ? '' : `x${factor}`} * f${j}${wrapped ? 'x19' : ''}`
}

/** Carries from the columns h. Two chains, so that the processor need not wait for the one. */
const carry = [0, 4, 1, 5, 2, 6, 3, 7, 4, 8, 9, 0]
  .map((i) => {
    const n = bits(i)
    const next = i === 9 ? 'h0 += c * 19' : `h${i + 1} += c`
    return `c = (h${i} + (1 << ${n - 1})) >> ${n}; ${next}; h${i} -= c << ${n}`
  })
  .join('\n')

const times = (name, factor, of = limbs) =>
  of.map((i) => `const ${name}${i}x${factor} = ${name}${i} * ${factor}`).join('\n')
const odd = limbs.filter((i) => i % 2 === 1)

/** An element as a constant: limbs of a number. */
function constant(name, value) {
  const list = limbs.map((i) => ((((value % p) + p) % p) >> BigInt(offset(i))) & ((1n << BigInt(bits(i))) - 1n))
  return `export const ${name}: usize = memory.data<i32>([${list.join(', ')}])`
}

function power(base, exponent) {
  let result = 1n
  for (let b = base, e = exponent; e > 0n; e >>= 1n, b = (b * b) % p) if (e & 1n) result = (result * b) % p
  return result
}
const inverse = (a) => power(a, p - 2n)

/** Of the curve -x² + y² = 1 + d x² y². */
const d = (p - 121665n) * inverse(121666n)
/** The A of v² = u³ + A u² + u. */
const A = 486662n

/** Ed25519's base point, and the point of order 8 that obfs4proxy has. */
const points = {
  BASE: {
    x: 0x216936d3cd6e53fec0a4e231fdd6dc5c692cc7609525a7b2c9562d608f25d51an,
    y: 4n * inverse(5n),
  },
  LOW: {
    x: 0x1fd5b9a006394a28e933993238de4abb5c193c7013e5e238dea14646c545d14an,
    y: 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
  },
}

export const field25519 = `
export const ELEMENT: usize = 40

${constant('ZERO', 0n)}
${constant('ONE', 1n)}
${constant('D2', 2n * d)}
${constant('ROOT_OF_MINUS_ONE', power(2n, (p - 1n) / 4n))}
${constant('A', A)}
${constant('MINUS_A', -A)}
${constant('BASE_X', points.BASE.x)}
${constant('BASE_Y', points.BASE.y)}
${constant('LOW_X', points.LOW.x)}
${constant('LOW_Y', points.LOW.y)}

/** In all functions the target may be an operand. */
export function copy(target: usize, a: usize): void {
  ${eachWord((at) => `store<u64>(target, load<u64>(a, ${at}), ${at})`)}
}

export function add(target: usize, a: usize, b: usize): void {
  ${each((i) => `store<i32>(target, load<i32>(a, ${4 * i}) + load<i32>(b, ${4 * i}), ${4 * i})`)}
}

export function subtract(target: usize, a: usize, b: usize): void {
  ${each((i) => `store<i32>(target, load<i32>(a, ${4 * i}) - load<i32>(b, ${4 * i}), ${4 * i})`)}
}

export function multiply(target: usize, a: usize, b: usize): void {
  ${load('f', 'a')}
  ${load('g', 'b')}
  ${times('f', 2, odd)}
  ${times('g', 19, limbs.slice(1))}
  let c: i64
  ${each((k) => `let h${k} = ${column(k, multiplied)}`)}
  ${carry}
  ${store('h', 'target')}
}

/** \`a\` squared \`count\` times, at least once. */
export function square(target: usize, a: usize, count: i32 = 1): void {
  ${load('f', 'a')}
  let c: i64
  do {
    ${times('f', 2)}
    ${times('f', 4, odd)}
    ${times('f', 19, limbs.slice(5))}
    ${each((k) => `let h${k} = ${column(k, squared)}`)}
    ${carry}
    ${each((i) => `f${i} = h${i}`)}
  } while (--count > 0)
  ${store('f', 'target')}
}

/** \`a\` where \`mask\` is all ones, \`b\` where it is 0. Reads both. */
export function choose(target: usize, a: usize, b: usize, mask: u32): void {
  ${each((i) => `store<u32>(target, (load<u32>(a, ${4 * i}) & mask) | (load<u32>(b, ${4 * i}) & ~mask), ${4 * i})`)}
}

/** Exchanges two elements where \`mask\` is all ones, and not where it is 0. */
export function exchange(a: usize, b: usize, mask: i32): void {
  const wide = <i64>mask
  let d: i64
  ${eachWord((at) => `d = (load<i64>(a, ${at}) ^ load<i64>(b, ${at})) & wide; store<i64>(a, load<i64>(a, ${at}) ^ d, ${at}); store<i64>(b, load<i64>(b, ${at}) ^ d, ${at})`)}
}

/** Changes the sign where \`mask\` is all ones, and not where it is 0. */
export function negate(a: usize, mask: i32): void {
  ${each((i) => `store<i32>(a, (load<i32>(a, ${4 * i}) ^ mask) - mask, ${4 * i})`)}
}

/** The \`which\`-th of \`count\` elements, of which one is every \`step\` bytes from \`first\` on; \`none\` for 0. Reads all of them. */
export function pick(target: usize, none: usize, first: usize, step: usize, count: i32, which: i32): void {
  let mask = sameMask(which, 0)
  ${eachWord((at) => `let e${at} = load<u64>(none, ${at}) & mask`)}
  for (let i = 1; i <= count; i++) {
    mask = sameMask(which, i)
    ${eachWord((at) => `e${at} |= load<u64>(first, ${at}) & mask`)}
    first += step
  }
  ${eachWord((at) => `store<u64>(target, e${at}, ${at})`)}
}

/** All ones where a and b are the same, 0 where not; for numbers that are not negative. */
function sameMask(a: i32, b: i32): u64 {
  return ~(<u64>((<i64>-(a ^ b)) >> 63))
}

/** From 32 bytes, little-endian, of which the highest bit does not count; may be p or more. */
export function fromBytes(target: usize, bytes: usize): void {
  ${each((i) => {
    const from = Math.min(offset(i) >> 3, 24)
    return `store<i32>(target, <i32>((load<u64>(bytes, ${from}) >> ${offset(i) - 8 * from}) & ${2 ** bits(i) - 1}), ${4 * i})`
  })}
}

/** The canonical form, 0 to p-1, in 32 bytes. */
export function toBytes(bytes: usize, a: usize): void {
  ${load('h', 'a')}
  // How often p goes into it: what is carried out at the top where 19 is added at the bottom.
  let c = (19 * h9 + (1 << 24)) >> 25
  ${each((i) => `c = (h${i} + c) >> ${bits(i)}`)}
  h0 += 19 * c
  ${each((i) => `c = h${i} >> ${bits(i)}; h${i} -= c << ${bits(i)}${i < 9 ? `; h${i + 1} += c` : ''}`)}
  ${[0, 1, 2, 3]
    .map((word) => {
      const terms = limbs.flatMap((i) => {
        const shift = offset(i) - 64 * word
        if (shift >= 64 || shift + bits(i) <= 0) return []
        return [shift < 0 ? `(h${i} >> ${-shift})` : `(h${i} << ${shift})`]
      })
      return `store<i64>(bytes, ${terms.join(' | ')}, ${8 * word})`
    })
    .join('\n')}
}
`
