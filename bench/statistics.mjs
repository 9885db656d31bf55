// Medians, spreads and ratios of samples.

/**
 * @typedef {object} Sample
 * @property {string} transport
 * @property {boolean} pinned
 * @property {string} metric
 * @property {string} candidate
 * @property {number} rep
 * @property {string} name of the figure
 * @property {string} unit
 * @property {'more' | 'less'} better
 * @property {number} value
 */

/** @typedef {{ median: number, min: number, max: number, count: number }} Summary */

/**
 * @param {readonly number[]} values
 * @returns {number} NaN where there are none
 */
export function median(values) {
  const sorted = values.toSorted ? values.toSorted((a, b) => a - b) : [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length % 2 === 1) return sorted[middle]
  return (sorted[middle - 1] + sorted[middle]) / 2
}

/**
 * @param {readonly number[]} values
 * @returns {Summary | undefined} undefined where there are none
 */
export function summarize(values) {
  if (values.length === 0) return undefined
  return { median: median(values), min: Math.min(...values), max: Math.max(...values), count: values.length }
}

/**
 * The samples of one figure of one candidate.
 * @param {readonly Sample[]} samples
 * @param {Partial<Sample>} like what they have in common
 */
export function select(samples, like) {
  const wanted = Object.entries(like)
  return samples.filter((sample) => wanted.every(([key, value]) => sample[key] === value))
}

/**
 * How a candidate does beside another: the ratio of the medians. Its spread is that of the ratios within a repetition,
 * where both met the same machine; the median need not lie in it.
 * @param {readonly Sample[]} ours
 * @param {readonly Sample[]} peers
 * @returns {{ ratio: number, min: number, max: number } | undefined} undefined where one has no samples
 */
export function compare(ours, peers) {
  if (ours.length === 0 || peers.length === 0) return undefined
  const ratio = median(ours.map(({ value }) => value)) / median(peers.map(({ value }) => value))
  const each = ours.flatMap(({ rep, value }) =>
    peers.filter((peer) => peer.rep === rep).map((peer) => value / peer.value),
  )
  return { ratio, min: Math.min(...each, ratio), max: Math.max(...each, ratio) }
}

/**
 * Three significant digits, thousands separated; a dash for what is no number.
 * @param {number} value
 */
export function formatNumber(value) {
  if (!Number.isFinite(value)) return '–'
  const digits = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)))
  return value.toLocaleString('en-US', { maximumFractionDigits: Math.min(3, Math.max(0, 2 - digits)) })
}

/**
 * Two digits after the point, three where it is small.
 * @param {number} ratio
 */
export function formatRatio(ratio) {
  return ratio < 0.1 ? ratio.toFixed(3) : ratio.toFixed(2)
}
