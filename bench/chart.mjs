// The ratios to obfs4proxy as a drawing, on a logarithmic scale: what lies right of the line at 1 is better than obfs4proxy.
//
//     obfs4, each end on a core of its own
//                 up, 1 stream   |━━━━━━━●━━━      1.55 × faster
//        idle RSS, client     ●━━|                 3.1 × more
import { OURS, PEER } from './candidates.mjs'
import { compare, select } from './statistics.mjs'

const WIDTH = 900
const LABELS = 290
const VALUES = 100
const ROW = 20
const HEAD = 80
const SECTION = 34
const BETTER = '#1a7f37'
const WORSE = '#bc4c00'
const INK = '#24292f'
const FAINT = '#8c959f'

/** Values of the scale that are named, as far as they are needed. */
const TICKS = [1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16, 32]

/** @typedef {{ title: string, rows: { name: string, gain: number, low: number, high: number }[] }} Section */

/**
 * How many times better than obfs4proxy we are, for each figure that both have: the ratio where more is better, and its
 * inverse where less is.
 * @param {readonly import('./statistics.mjs').Sample[]} samples
 * @returns {Section[]}
 */
export function gains(samples) {
  const sections = new Map()
  for (const { transport, pinned, name, better, candidate } of samples) {
    if (candidate !== OURS) continue
    const title = `${transport}, ${pinned ? 'each end on a core of its own' : 'not pinned'}`
    const rows = sections.get(title) ?? sections.set(title, new Map()).get(title)
    if (rows.has(name) || /CPU, (?:client|server)$/.test(name)) continue
    const of = (candidate) => select(samples, { transport, pinned, name, candidate })
    const ratio = compare(of(OURS), of(PEER))
    if (ratio === undefined) continue
    const [gain, low, high] =
      better === 'more' ? [ratio.ratio, ratio.min, ratio.max] : [1 / ratio.ratio, 1 / ratio.max, 1 / ratio.min]
    rows.set(name, { name, gain, low, high })
  }
  return [...sections]
    .map(([title, rows]) => ({ title, rows: [...rows.values()] }))
    .filter(({ rows }) => rows.length > 0)
}

/**
 * An SVG document.
 * @param {readonly Section[]} sections
 * @param {readonly string[]} captions one for each line
 * @returns {string}
 */
export function drawChart(sections, captions) {
  const scale = makeScale(sections.flatMap(({ rows }) => rows.flatMap(({ gain, low, high }) => [gain, low, high])))
  const parts = []
  let y = HEAD
  for (const { title, rows } of sections) {
    parts.push(text(LABELS, y + SECTION - 12, title, { anchor: 'end', weight: 'bold' }))
    y += SECTION
    for (const row of rows) {
      parts.push(drawRow(row, y, scale))
      y += ROW
    }
  }
  const height = y + 40
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="system-ui, sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    text(16, 24, 'How many times better than obfs4proxy', { weight: 'bold', size: 16 }),
    ...captions.map((line, at) => text(16, 44 + 18 * at, line, { fill: FAINT })),
    ...scale.ticks.map((tick) => drawTick(tick, scale.x(tick), y)),
    ...parts,
    '</svg>\n',
  ].join('\n')
}

/** Wide enough for all values and for 1/2 to 2 at least; it ends at named values. */
function makeScale(values) {
  const low = Math.min(1 / 2, ...values)
  const high = Math.max(2, ...values)
  const from = TICKS.findLast((tick) => tick <= low) ?? TICKS[0]
  const to = TICKS.find((tick) => tick >= high) ?? TICKS.at(-1)
  const width = WIDTH - LABELS - VALUES - 40
  const x = (value) => {
    const clipped = Math.min(to, Math.max(from, value))
    return LABELS + 20 + (width * Math.log(clipped / from)) / Math.log(to / from)
  }
  return { x, ticks: TICKS.filter((tick) => tick >= from && tick <= to) }
}

function drawTick(tick, x, bottom) {
  const name = tick < 1 ? `1/${1 / tick}` : String(tick)
  const line = `<line x1="${place(x)}" y1="${HEAD}" x2="${place(x)}" y2="${bottom + 6}" stroke="${tick === 1 ? INK : '#d0d7de'}"/>`
  return `${line}\n${text(x, bottom + 22, name, { anchor: 'middle', fill: tick === 1 ? INK : FAINT })}`
}

function drawRow({ name, gain, low, high }, y, { x }) {
  const colour = gain >= 1 ? BETTER : WORSE
  const [from, to] = [x(1), x(gain)]
  const middle = y + ROW / 2
  const bar = `<rect x="${place(Math.min(from, to))}" y="${middle - 5}" width="${place(Math.abs(to - from))}" height="10" fill="${colour}" fill-opacity="0.75"/>`
  const spread = `<line x1="${place(x(low))}" y1="${middle}" x2="${place(x(high))}" y2="${middle}" stroke="${INK}" stroke-width="1.5"/>`
  return [
    text(LABELS, middle + 4, name, { anchor: 'end' }),
    bar,
    spread,
    text(WIDTH - VALUES + 8, middle + 4, `${gain >= 10 ? gain.toFixed(1) : gain.toFixed(2)} ×`, {
      fill: colour,
      weight: 'bold',
    }),
  ].join('\n')
}

function text(x, y, words, { anchor = 'start', weight = 'normal', fill = INK, size = 12 } = {}) {
  const escaped = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<text x="${place(x)}" y="${place(y)}" text-anchor="${anchor}" font-weight="${weight}" font-size="${size}" fill="${fill}">${escaped}</text>`
}

function place(value) {
  return Number(value.toFixed(1))
}
