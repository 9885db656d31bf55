// How cost grows from 1 to 10,000 connections: memory, CPU and latency while they are set up, CPU while they rest, and
// throughput, with how fairly it is shared, while all of them receive at once.
import { setTimeout as sleep } from 'node:timers/promises'
import { readLines, stop } from './children.mjs'
import { launchLoad } from './load.mjs'
import { residentMiB } from './memory.mjs'
import { withPair } from './pair.mjs'
import { formatHead, table } from './report.mjs'
import { formatNumber, median, select } from './statistics.mjs'

const IN_FLIGHT = 32
const PATIENCE_MS = 150_000
const REST_MS = 2_000
/** Of all sockets at the ends: buffers that the system tunes would take gigabytes with 10,000 streams. */
const SOCKET_BUFFER = 64 * 1024
/** So that each stream has its turn several times: at least 3 s, and 1 s more for every 800 streams. */
const windowSeconds = (count) => 3 + count / 800
const MB = 1e6
const KB = 1e3
const GB = 1e9

/** The columns: key, title. */
const columns = {
  memory: 'RSS, both ends, MiB',
  per1000: 'MiB per 1,000',
  loaded: 'RSS at work, MiB',
  p50: 'set-up p50, ms',
  p99: 'set-up p99, ms',
  setupCpu: 'CPU of a set-up, ms',
  restCpu: 'CPU at rest, ms/s',
  throughput: 'all together, MB/s',
  bulkCpu: 'CPU-s/GB',
  perStream: 'a stream, KB/s',
  slowest: 'slowest, of the median',
  jain: 'fairness (Jain)',
}

/**
 * One candidate with `connections` connections, as one sample for each column.
 * @param {import('./pair.mjs').PairOptions} options
 * @param {number} connections
 */
export async function measureGrowth(options, connections) {
  return await withPair({ ...options, connections, buffer: SOCKET_BUFFER }, async (pair) => {
    const residentBoth = () => sum(pair.pids.map(residentMiB))
    const empty = residentBoth()
    const child = launchLoad(pair, 'hold', {
      count: connections,
      flight: Math.min(IN_FLIGHT, connections),
      buffer: SOCKET_BUFFER,
      warm: 1 + connections / 2_000,
      seconds: windowSeconds(connections),
    })
    try {
      const opened = JSON.parse((await readLines(child, () => true, PATIENCE_MS))[0])
      if (opened.done < connections)
        throw new Error(`only ${opened.done} of ${connections} connections could be opened`)
      const rest = await cpuAtRest(pair)
      const memory = residentBoth()
      child.process.stdin.write('\n')
      const window = JSON.parse((await readLines(child, () => true, PATIENCE_MS))[0])
      if (window.bytes === 0) throw new Error('nothing arrived during the window')
      if (window.dead > 0) throw new Error(`${window.dead} of ${connections} streams ended during the window`)
      return readColumns({ connections, opened, rest, memory, empty, window, loaded: residentBoth() })
    } finally {
      await stop(child)
    }
  })
}

/** @returns {Record<keyof typeof columns, number>} */
function readColumns({ connections, opened, rest, memory, empty, window, loaded }) {
  const { streams } = window
  return {
    memory,
    per1000: ((memory - empty) / connections) * 1_000,
    loaded,
    p50: opened.us.p50 / 1_000,
    p99: opened.us.p99 / 1_000,
    setupCpu: (sum(opened.cpu) * 1_000) / connections,
    restCpu: rest,
    throughput: window.bytes / MB / window.seconds,
    bulkCpu: sum(window.cpu) / (window.bytes / GB),
    perStream: streams.median / KB / window.seconds,
    slowest: streams.min / streams.median,
    jain: streams.jain,
  }
}

/** Milliseconds of CPU in a second that nothing happens in, after one to come to rest. */
async function cpuAtRest(pair) {
  await sleep(1_000)
  const child = launchLoad(pair, 'watch', { seconds: REST_MS / 1_000 })
  try {
    const { seconds, cpu } = JSON.parse((await readLines(child, () => true))[0])
    return (sum(cpu) * 1_000) / seconds
  } finally {
    await stop(child)
  }
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0)
}

/**
 * How long the rows take that are measured once each, in seconds.
 * @param {readonly number[]} counts
 */
export function estimateGrowth(counts) {
  const fixed = 1.5 + 1 + REST_MS / 1_000 + 1
  return sum(counts.map((count) => fixed + windowSeconds(count) + count / 2_000 + count / 700))
}

/**
 * @typedef {object} GrowthSample
 * @property {string} candidate
 * @property {number} connections
 * @property {Record<keyof typeof columns, number>} values
 */

/**
 * The report: for each candidate a table with a row for each number of connections.
 * @param {object} run
 * @param {Record<string, string>} run.machine
 * @param {string} run.command what was typed
 * @param {string} run.transport
 * @param {number} run.reps
 * @param {number} run.others
 * @param {{ case: string, others: number }[]} run.noisy
 * @param {{ case: string, error: string }[]} run.failures
 * @param {string[]} run.notes
 * @param {GrowthSample[]} run.samples
 */
export function formatGrowth(run) {
  const names = [...new Set(run.samples.map(({ candidate }) => candidate))]
  const keys = Object.keys(columns)
  const tables = names.flatMap((candidate) => {
    const own = select(run.samples, { candidate })
    const counts = [...new Set(own.map(({ connections }) => connections))].sort((a, b) => a - b)
    const rows = counts.map((connections) => {
      const same = select(own, { connections })
      const medians = keys.map((key) => formatNumber(median(same.map(({ values }) => values[key]))))
      return [connections.toLocaleString('en-US')].concat(medians)
    })
    return [`## ${candidate}`, table(['connections', ...Object.values(columns)], 'r'.repeat(keys.length + 1), rows)]
  })
  return `${[
    '# How cost grows with the number of connections',
    `Written by \`${run.command}\`; [README.md](README.md) says what each figure means. ${run.transport}, each end on a core of its own, medians of ${run.reps}, fresh processes for every row.`,
    formatHead(run),
    ...tables,
  ].join('\n\n')}\n`
}
