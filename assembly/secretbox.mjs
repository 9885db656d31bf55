/**
 * XSalsa20-Poly1305 behind its key derivation: the text of an AssemblyScript module. Four blocks of Salsa20 at a time, one in
 * each lane of a vector, and a block of Poly1305 beside each round of it.
 *
 *     one-time key(32) | keystream …          tag(16) = Poly1305(one-time key, ciphertext)
 *
 * Salsa20 keeps the processor's vector units busy and Poly1305 its multiplier: side by side they take as long as Salsa20 does
 * alone. For that, each word of the state has to be a local variable, and AssemblyScript has no macros: so every step stands
 * here once, as a function that gives its text.
 */

const words = Array.from({ length: 16 }, (_, i) => i)
const join = (lines) => lines.join('\n')

/** "expand 32-byte k" */
const sigma = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574]

/** Word i at the start, in all lanes; the lanes differ in the low word of the block counter. */
function input(i) {
  if (i % 5 === 0) return `i32x4.splat(${sigma[i / 5]})`
  if (i < 5) return `v128.load32_splat(key, ${4 * (i - 1)})`
  if (i > 10) return `v128.load32_splat(key, ${4 * (i - 7)})`
  return {
    6: 'i32x4.splat(<i32>nonce)',
    7: 'i32x4.splat(<i32>(nonce >> 32))',
    8: 'i32x4.add(i32x4.splat(block), i32x4(0, 1, 2, 3))',
    9: 'i32x4.splat(0)',
  }[i]
}

const begin = join(['let t: v128 = i32x4.splat(0)', ...words.map((i) => `let x${i} = ${input(i)}`)])

/** x[b] ^= (x[a] + x[d]) <<< n; WebAssembly has no rotation of vectors. */
function step(b, a, d, n) {
  return join([
    `t = i32x4.add(x${a}, x${d})`,
    `x${b} = v128.xor(x${b}, v128.or(i32x4.shl(t, ${n}), i32x4.shr_u(t, ${32 - n})))`,
  ])
}

function quarterRound(a, b, c, d) {
  return join([step(b, a, d, 7), step(c, b, a, 9), step(d, c, b, 13), step(a, d, c, 18)])
}

const columnRound = join([
  quarterRound(0, 4, 8, 12),
  quarterRound(5, 9, 13, 1),
  quarterRound(10, 14, 2, 6),
  quarterRound(15, 3, 7, 11),
])
const rowRound = join([
  quarterRound(0, 1, 2, 3),
  quarterRound(5, 6, 7, 4),
  quarterRound(10, 11, 8, 9),
  quarterRound(15, 12, 13, 14),
])
const doubleRound = join([columnRound, rowRound])

/** A row round is a column round of the transposed state, so that a loop can take one round each time. */
const transpose = join(
  words.flatMap((i) => {
    const j = (i % 4) * 4 + (i >> 2)
    return j <= i ? [] : [`t = x${i}; x${i} = x${j}; x${j} = t`]
  }),
)

/** Adds the input and XORs words 4q to 4q+3 of the four blocks onto the message; `keyed`: the first block begins with the key. */
function xorQuarter(q, keyed) {
  const [a, b, c, d] = [0, 1, 2, 3].map((i) => `i32x4.add(x${4 * q + i}, ${input(4 * q + i)})`)
  const xor = (block, keystream) => {
    const at = 64 * block + 16 * q
    if (keyed && block === 0 && q < 2) return `v128.store(ONE_TIME_KEY, ${keystream}, ${at})`
    return `v128.store(target, v128.xor(${keystream}, v128.load(source, ${at})), ${at})`
  }
  return join([
    '{',
    `const a = ${a}, b = ${b}, c = ${c}, d = ${d}`,
    'const ab = v128.shuffle<i32>(a, b, 0, 4, 1, 5), cd = v128.shuffle<i32>(c, d, 0, 4, 1, 5)',
    'const AB = v128.shuffle<i32>(a, b, 2, 6, 3, 7), CD = v128.shuffle<i32>(c, d, 2, 6, 3, 7)',
    xor(0, 'v128.shuffle<i64>(ab, cd, 0, 2)'),
    xor(1, 'v128.shuffle<i64>(ab, cd, 1, 3)'),
    xor(2, 'v128.shuffle<i64>(AB, CD, 0, 2)'),
    xor(3, 'v128.shuffle<i64>(AB, CD, 1, 3)'),
    '}',
  ])
}

const xorGroup = (keyed) => join([0, 1, 2, 3].map((q) => xorQuarter(q, keyed)))

/**
 * Poly1305 in four limbs of 32 bits and a small fifth, h = h0 + 2^32 h1 + … + 2^128 h4. r has no fifth limb, and r1 to r3 are
 * multiples of 4: as 2^130 = 5 modulo the prime, 2^128 ri = 5/4 ri = si, a whole number.
 */
const limbs = [0, 1, 2, 3, 4]
const each = (text) => join(limbs.map(text))

const loadPoly = join([
  each((i) => `let h${i} = load<u64>(H, ${8 * i})`),
  'const r0: u64 = load<u32>(R)',
  ...[1, 2, 3].map((i) => `const r${i}: u64 = load<u32>(R, ${4 * i}), s${i} = r${i} + (r${i} >> 2)`),
  each((i) => `let l${i}: u64, d${i}: u64`),
])
const storePoly = each((i) => `store<u64>(H, h${i}, ${8 * i})`)

/** l = h + the 16 bytes at `from`; `top` is the bit behind them, 2^128 for all blocks but a short one. */
function addBlock(from, top) {
  return each((i) => `l${i} = h${i} + ${i < 4 ? `<u64>load<u32>(${from}, ${4 * i})` : top}`)
}

/** d = l · r. With l0 < 2^33.4, l1 to l3 < 2^33, l4 < 5 and r < 2^28 no sum reaches 2^64. */
const multiply = join([
  'd0 = l0 * r0 + l1 * s3 + l2 * s2 + l3 * s1',
  'd1 = l0 * r1 + l1 * r0 + l2 * s3 + l3 * s2 + l4 * s1',
  'd2 = l0 * r2 + l1 * r1 + l2 * r0 + l3 * s3 + l4 * s2',
  'd3 = l0 * r3 + l1 * r2 + l2 * r1 + l3 * r0 + l4 * s3',
  'd4 = l4 * r0',
])

const low32 = (x) => `<u64><u32>${x}`

/** h = d: h0 < 2^33.2, h1 to h3 < 2^32, h4 < 4. What is above 2^130 comes back five times: once, and as the multiple of 4 it is. */
const reduce = join([
  ...[0, 1, 2, 3].map((i) => `d${i + 1} += d${i} >> 32`),
  `h0 = ${low32('d0')} + (d4 >> 2) + (d4 & ~3)`,
  ...[1, 2, 3].map((i) => `h${i} = ${low32(`d${i}`)}`),
  'h4 = d4 & 3',
])

const carry = join([0, 1, 2, 3].map((i) => `h${i + 1} += h${i} >> 32; h${i} = ${low32(`h${i}`)}`))

export const secretbox = `
const ONE_TIME_KEY: usize = memory.data(32, 16)
const R: usize = memory.data(16, 16)
const H: usize = memory.data(40, 16)
const LAST: usize = memory.data(16, 16)

/** The first four blocks. Nothing can be authenticated yet. */
function firstGroup(key: usize, nonce: u64, source: usize, target: usize): void {
  const block: i32 = 0
  ${begin}
  for (let i = 0; i < 20; i += 2) {
    ${doubleRound}
  }
  ${xorGroup(true)}
}

/** Four blocks from \`block\` on, and \`count\` blocks of the message from \`message\` on: an even number up to 20. */
function nextGroup(key: usize, nonce: u64, block: i32, source: usize, target: usize, message: usize, count: i32): void {
  ${begin}
  ${loadPoly}
  const end = message + <usize>(count << 4)
  // V8 orders what is in a basic block as it likes: only values that a loop carries keep the two side by side.
  do {
    ${addBlock('message', '1')}
    ${multiply}
    ${columnRound}
    ${reduce}
    ${transpose}
    message += 16
  } while (message != end)
  ${storePoly}
  for (let i = count; i < 20; i += 2) {
    ${doubleRound}
  }
  ${xorGroup(false)}
}

function beginTag(): void {
  store<u64>(R, load<u64>(ONE_TIME_KEY) & 0x0ffffffc0fffffff)
  store<u64>(R, load<u64>(ONE_TIME_KEY, 8) & 0x0ffffffc0ffffffc, 8)
  memory.fill(H, 0, 40)
}

/** Authenticates the last \`length\` bytes, and writes the tag. */
function endTag(message: usize, length: i32, tag: usize): void {
  ${loadPoly}
  while (length >= 16) {
    ${addBlock('message', '1')}
    ${multiply}
    ${reduce}
    message += 16
    length -= 16
  }
  if (length > 0) {
    memory.fill(LAST, 0, 16)
    memory.copy(LAST, message, length)
    store<u8>(LAST + length, 1)
    ${addBlock('LAST', '0')}
    ${multiply}
    ${reduce}
  }
  ${carry}
  h0 += (h4 >> 2) * 5
  h4 &= 3
  ${carry}
  // g = h + 5, and h = g - 2^130 where that is not negative: what is above 2^128 is no part of the tag.
  let low = h0 | (h1 << 32), high = h2 | (h3 << 32)
  const g0 = low + 5, g1 = high + u64(g0 < low), g2 = h4 + u64(g1 < high)
  const choose = 0 - (g2 >> 2)
  low = (low & ~choose) | (g0 & choose)
  high = (high & ~choose) | (g1 & choose)
  const sum = low + load<u64>(ONE_TIME_KEY, 16)
  store<u64>(tag, sum)
  store<u64>(tag, high + load<u64>(ONE_TIME_KEY, 24) + u64(sum < low), 8)
}

/**
 * Encrypts or decrypts \`length\` bytes from \`source\` to \`target\`, and writes the tag of those at \`ciphertext\`, which is the one or
 * the other. \`key\`: 32 bytes, of HSalsa20. Reads and overwrites up to 35 bytes before and 255 behind them.
 */
export function box(
  key: usize, nonce: u64, source: usize, target: usize, length: i32, ciphertext: usize, tag: usize
): void {
  source -= 32
  target -= 32
  const total = length + 32
  firstGroup(key, nonce, source, target)
  beginTag()
  let message = ciphertext
  for (let at = 256, block = 4; at < total; at += 256, block += 4) {
    // The group before has left so many whole blocks of ciphertext: its first 32 bytes were no part of the message.
    const count = at == 256 ? 14 : 16
    nextGroup(key, nonce, block, source + at, target + at, message, count)
    message += count << 4
  }
  endTag(message, <i32>(ciphertext + <usize>length - message), tag)
}
`
