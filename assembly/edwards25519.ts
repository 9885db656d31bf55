/**
 * The curve -x² + y² = 1 + d x² y², and the multiples of its base point.
 *
 *     point     X | Y | Z | T      x = X/Z, y = Y/Z, xy = T/Z
 *     entry     y + x | y - x | 2dxy, what is added to a point
 *     table     for each i of 0 to 31 the entries of 1·256^i·B to 8·256^i·B; behind them those of 1·L to 8·L, L the point of order 8
 *
 * Formulas: Hisil, Wong, Carter and Dawson 2008 (add-2008-hwcd-3 with Z2 = 1, dbl-2008-hwcd). They hold for all points.
 */
import {
  add,
  BASE_X,
  BASE_Y,
  copy,
  D2,
  ELEMENT,
  exchange,
  LOW_X,
  LOW_Y,
  multiply,
  negate,
  ONE,
  pick,
  square,
  subtract,
  ZERO,
} from './field25519'
import { invert } from './power25519'

export const Y: usize = ELEMENT
export const Z: usize = 2 * ELEMENT
const T: usize = 3 * ELEMENT
const POINT: usize = 4 * ELEMENT
const ENTRY: usize = 3 * ELEMENT
/** Entries of a row, 1-fold to 8-fold. */
const COLUMNS: i32 = 8
const ROWS: usize = 33
const LOW_ROW: usize = 32
/** Of the points of a row. */
const ROW: usize = <usize>COLUMNS * POINT

const TABLE: usize = memory.data(31_680, 16)
/** The points that the table is made of, and the products of their Z up to each. */
const POINTS: usize = memory.data(42_240, 16)
const PRODUCTS: usize = memory.data(10_560, 16)
const CHOSEN: usize = memory.data(120, 16)
const DIGITS: usize = memory.data(64, 16)
const E: usize = memory.data(40, 16)
const F: usize = memory.data(40, 16)
const G: usize = memory.data(40, 16)
const H: usize = memory.data(40, 16)

let isTableReady = false

/** Adds an entry to a point. */
function addEntry(point: usize, entry: usize): void {
  subtract(E, point + Y, point)
  multiply(E, E, entry + ELEMENT)
  add(F, point + Y, point)
  multiply(F, F, entry)
  multiply(G, point + T, entry + 2 * ELEMENT)
  add(H, point + Z, point + Z)
  // E = B - A, H = B + A, F = D - C, G = D + C
  const b = F
  subtract(point, b, E)
  add(point + Y, b, E)
  subtract(F, H, G)
  add(G, H, G)
  copy(E, point)
  copy(H, point + Y)
  finish(point)
}

function double(point: usize): void {
  add(E, point, point + Y)
  square(E, E)
  square(G, point + Y)
  square(H, point)
  // A product of its own: Z² + Z² would be one sum too many below.
  add(F, point + Z, point + Z)
  multiply(F, F, point + Z)
  // E = (X + Y)² - A - B, G = B - A, and with signs that negate all four coordinates, F = 2Z² - G and H = A + B.
  subtract(point, G, H)
  add(H, G, H)
  subtract(E, E, H)
  copy(G, point)
  subtract(F, F, G)
  finish(point)
}

/** X3 = EF, Y3 = GH, Z3 = FG, T3 = EH */
function finish(point: usize): void {
  multiply(point, E, F)
  multiply(point + Y, G, H)
  multiply(point + Z, F, G)
  multiply(point + T, E, H)
}

function setPoint(point: usize, x: usize, y: usize): void {
  copy(point, x)
  copy(point + Y, y)
  copy(point + Z, ONE)
  multiply(point + T, x, y)
}

/** The entry of a point that has 1/Z in place of Z. E and F are its x and y then. */
function setEntry(entry: usize, point: usize): void {
  multiply(E, point, point + Z)
  multiply(F, point + Y, point + Z)
  add(entry, F, E)
  subtract(entry + ELEMENT, F, E)
  multiply(entry + 2 * ELEMENT, E, F)
  multiply(entry + 2 * ELEMENT, entry + 2 * ELEMENT, D2)
}

/** Puts 1/Z in place of Z, in `count` points of which one is every `step` bytes; by one inversion for all of them. */
function invertZ(first: usize, step: usize, count: usize): void {
  let product = ONE
  for (let i: usize = 0; i < count; i++) {
    const next = PRODUCTS + i * ELEMENT
    multiply(next, product, first + i * step + Z)
    product = next
  }
  // 1 over the product of all up to the current one.
  const inverse = H
  invert(inverse, product)
  for (let i = count; i-- > 0;) {
    const z = first + i * step + Z
    multiply(G, inverse, i == 0 ? ONE : PRODUCTS + (i - 1) * ELEMENT)
    multiply(inverse, inverse, z)
    copy(z, G)
  }
}

/** The multiples of a row's first point, which has 1/Z in place of Z. */
function setRow(first: usize): void {
  setEntry(CHOSEN, first)
  setPoint(first, E, F)
  for (let point = first + POINT; point < first + ROW; point += POINT) {
    memory.copy(point, point - POINT, POINT)
    addEntry(point, CHOSEN)
  }
}

function makeTable(): void {
  const low = POINTS + LOW_ROW * ROW
  setPoint(low, LOW_X, LOW_Y)
  setPoint(POINTS, BASE_X, BASE_Y)
  for (let first = POINTS + ROW; first < low; first += ROW) {
    memory.copy(first, first - ROW, POINT)
    for (let i = 0; i < 8; i++) double(first)
  }
  invertZ(POINTS, ROW, ROWS)
  for (let first = POINTS; first <= low; first += ROW) setRow(first)
  invertZ(POINTS, POINT, ROWS * COLUMNS)
  for (let i: usize = 0; i < ROWS * COLUMNS; i++) setEntry(TABLE + i * ENTRY, POINTS + i * POINT)
  isTableReady = true
}

/** CHOSEN = digit times the row's point, for a digit of -8 to 8. Reads the whole row, whatever the digit. */
function chooseEntry(row: usize, digit: i32): void {
  const sign = digit >> 31
  const size = (digit ^ sign) - sign
  const entry = TABLE + row * COLUMNS * ENTRY
  pick(CHOSEN, ONE, entry, ENTRY, COLUMNS, size)
  pick(CHOSEN + ELEMENT, ONE, entry + ELEMENT, ENTRY, COLUMNS, size)
  pick(CHOSEN + 2 * ELEMENT, ZERO, entry + 2 * ELEMENT, ENTRY, COLUMNS, size)
  // The negative of an entry: sum and difference exchanged, and -2dxy.
  exchange(CHOSEN, CHOSEN + ELEMENT, sign)
  negate(CHOSEN + 2 * ELEMENT, sign)
}

/** A scalar below 2^255 (32 bytes) in 64 digits of -8 to 8. */
function setDigits(scalar: usize): void {
  let carry = 0
  for (let i: usize = 0; i < 64; i++) {
    const nibble = (((<i32>load<u8>(scalar + (i >> 1))) >> (<i32>((i & 1) << 2))) & 15) + carry
    carry = i == 63 ? 0 : (nibble + 8) >> 4
    store<i8>(DIGITS + i, <i8>(nibble - (carry << 4)))
  }
}

/** `scalar` (32 bytes, below 2^255) times the base point, and `low` (0 to 7) times the point of order 8. */
export function multiplyBase(point: usize, scalar: usize, low: i32): void {
  if (!isTableReady) makeTable()
  setDigits(scalar)
  setPoint(point, ZERO, ONE)
  for (let i: usize = 1; i < 64; i += 2) {
    chooseEntry(i >> 1, load<i8>(DIGITS + i))
    addEntry(point, CHOSEN)
  }
  for (let i = 0; i < 4; i++) double(point)
  for (let i: usize = 0; i < 64; i += 2) {
    chooseEntry(i >> 1, load<i8>(DIGITS + i))
    addEntry(point, CHOSEN)
  }
  chooseEntry(LOW_ROW, low)
  addEntry(point, CHOSEN)
}
