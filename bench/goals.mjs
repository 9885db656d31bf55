// What we want to reach, as ratios to obfs4proxy in the same run or, if so marked, to lyrebird or as absolute figures.
import {
  ISOLATED,
  NODE_TLS,
  OUR_CLIENT,
  OUR_SERVER,
  OUR_TLS,
  OURS,
  PEER,
  PTADAPTER,
  SUCCESSOR,
  TUNNEL,
  WEBTUNNEL_PEER,
} from './candidates.mjs'
import { compare, median, select } from './statistics.mjs'

const bothWays = (...streams) => streams.flatMap((count) => [`up, ${count}`, `down, ${count}`])
const one = bothWays('1 stream')
const many = bothWays('8 streams', '64 streams')
const all = [...one, ...many]
const cpuOf = (names) => names.map((name) => `${name}: CPU, both`)
const pingsOf = (state, percentile) => [1, 64, 512].map((size) => `${state}round trip of ${size} B, ${percentile}`)
const ends = (name) => [`${name}, client`, `${name}, server`]

/**
 * @typedef {object} Goal
 * @property {string} name
 * @property {string} transport
 * @property {string[]} figures the worst of them counts
 * @property {'more' | 'less'} better
 * @property {number} must
 * @property {number} aim
 * @property {boolean} [pinned] default true
 * @property {string} [candidate] default ours
 * @property {string} [beside] what the ratio is to; default obfs4proxy
 * @property {boolean} [absolute]
 */

/**
 * Of processes that are in use, or fresh ones. The goals were set by a measurement of the first kind.
 * @param {'in use: ' | ''} state
 * @returns {Goal[]}
 */
function connectionsOf(state) {
  const goal = (name, better, must, aim, figures = [`${state}${name}`]) => ({
    name: `${state}obfs4 ${name}`,
    transport: 'obfs4',
    figures,
    better,
    must,
    aim,
  })
  return [
    goal('set-up, 32 in flight', 'more', 1.2, 1.5),
    goal('set-up, one at a time, p50', 'less', 0.85, 0.7),
    goal('CPU of a connection', 'less', 0.85, 0.7, [`${state}a connection: CPU, both`]),
    goal('round trip, p50', 'less', 1, 0.85, pingsOf(state, 'p50')),
    goal('round trip, p99', 'less', 0.6, 0.4, pingsOf(state, 'p99')),
  ]
}

/**
 * lyrebird is built by a newer Go than obfs4proxy, and quicker. Set-ups with 32 in flight are of the first seconds of a process,
 * most of which Node spends on compiling.
 * @returns {Goal}
 */
function besideLyrebird(name, better, must, aim, figures = [name]) {
  const title = `beside lyrebird: obfs4 ${name}`
  return { name: title, transport: 'obfs4', beside: SUCCESSOR, figures, better, must, aim }
}

const tunnelFigures = (figure) => ['down', 'up'].map((way) => `tunnel ${way}, 8 streams: ${figure}`)

/**
 * Of `postern client` and `postern server`.
 * @returns {Goal}
 */
function tunnel(name, beside, better, must, aim, figures) {
  return { name: `tunnel: ${name}`, transport: 'obfs4', candidate: TUNNEL, beside, figures, better, must, aim }
}

/**
 * Of both ends of webtunnel, beside lyrebird's client and webtunnel's own server.
 * @returns {Goal}
 */
function webtunnel(name, better, must, aim, figures = [name]) {
  return { name: `webtunnel ${name}`, transport: 'webtunnel', beside: WEBTUNNEL_PEER, figures, better, must, aim }
}

/**
 * Of `postern/tls`.
 * @returns {Goal}
 */
function tls(name, better, must, aim, figures) {
  return {
    name: `${name}, beside node:tls`,
    transport: 'TLS',
    candidate: OUR_TLS,
    beside: NODE_TLS,
    figures,
    better,
    must,
    aim,
  }
}

/** obfs4proxy has no server of meek, so its client is measured beside ours. @returns {Goal} */
function meek(name, better, must, aim, figures) {
  return { name, transport: 'meek', beside: OUR_SERVER, figures, better, must, aim }
}

/** @type {Goal[]} */
export const goals = [
  { name: 'obfs4 bulk, 1 stream', transport: 'obfs4', figures: one, better: 'more', must: 1.5, aim: 1.8 },
  { name: 'obfs4 bulk, 8 and 64 streams', transport: 'obfs4', figures: many, better: 'more', must: 1.5, aim: 2 },
  { name: 'obfs4 CPU-s/GB, both ends', transport: 'obfs4', figures: cpuOf(all), better: 'less', must: 0.65, aim: 0.5 },
  { name: 'obfs4 bulk, unpinned', transport: 'obfs4', pinned: false, figures: all, better: 'more', must: 2, aim: 2.5 },
  ...['obfs3', 'obfs2'].flatMap((transport) => [
    { name: `${transport} bulk`, transport, figures: all, better: 'more', must: 1.8, aim: 2.2 },
    { name: `${transport} CPU-s/GB, both ends`, transport, figures: cpuOf(all), better: 'less', must: 0.5, aim: 0.4 },
  ]),
  {
    name: 'obfs3 set-up, 32 in flight',
    transport: 'obfs3',
    figures: ['set-up, 32 in flight'],
    better: 'more',
    must: 4,
    aim: 6,
  },
  ...connectionsOf('in use: '),
  ...connectionsOf(''),
  {
    name: 'RSS per 1,000 idle connections',
    transport: 'obfs4',
    figures: ends('RSS per 1,000 connections'),
    better: 'less',
    must: 0.15,
    aim: 0.08,
  },
  {
    name: 'start to METHODS DONE, ms',
    transport: 'obfs4',
    figures: ends('start to METHODS DONE'),
    better: 'less',
    must: 50,
    aim: 30,
    absolute: true,
  },
  {
    name: 'first connection, in tenth ones',
    transport: 'obfs4',
    figures: ['first connection, in tenth ones'],
    better: 'less',
    must: 2,
    aim: 1.5,
    absolute: true,
  },
  {
    name: 'idle RSS, MiB',
    transport: 'obfs4',
    figures: ends('idle RSS'),
    better: 'less',
    must: 55,
    aim: 45,
    absolute: true,
  },
  besideLyrebird('bulk, 1 stream', 'more', 1.5, 1.8, one),
  besideLyrebird('bulk, 64 streams', 'more', 1.5, 1.8, bothWays('64 streams')),
  besideLyrebird('CPU-s/GB, both ends', 'less', 0.6, 0.5, cpuOf(all)),
  besideLyrebird('set-up, 32 in flight', 'more', 0.9, 1.2),
  besideLyrebird('set-up, 32 in flight, p99', 'less', 2, 1),
  tunnel('bytes per second of CPU, beside ptadapter', PTADAPTER, 'more', 5, 8, tunnelFigures('per second of CPU')),
  tunnel('CPU-s/GB, beside postern pt', OURS, 'less', 1.2, 1, tunnelFigures('CPU, both')),
  tunnel('CPU of a connection, beside postern pt', OURS, 'less', 1.2, 1, ['tunnel, a connection: CPU, both']),
  tunnel('memory, beside --isolate', ISOLATED, 'less', 0.65, 0.5, ['tunnel: RSS of all processes']),
  meek(
    'meek bulk',
    'more',
    1,
    1.2,
    all.filter((name) => !name.includes('64')),
  ),
  webtunnel('bulk, 1 stream', 'more', 1, 1.2, one),
  webtunnel('bulk, 64 streams', 'more', 1, 1.2, bothWays('64 streams')),
  webtunnel('CPU-s/GB, both ends', 'less', 1, 0.8, cpuOf([...one, ...bothWays('64 streams')])),
  webtunnel('set-up, 32 in flight', 'more', 0.8, 1),
  webtunnel('RSS per 1,000 idle connections', 'less', 0.5, 0.3, ends('RSS per 1,000 connections')),
  tls('TLS bulk', 'more', 0.8, 1, ['TLS down', 'TLS up']),
  tls('CPU of a TLS handshake', 'less', 2, 1.5, ['a TLS handshake: CPU, client']),
  ...[OUR_CLIENT, OUR_SERVER].flatMap((candidate) =>
    ['obfs4', 'obfs3', 'obfs2'].map((transport) => ({
      name: `${transport} bulk, ${candidate}`,
      transport,
      candidate,
      figures: all,
      better: 'more',
      must: 1,
      aim: 1,
    })),
  ),
]

/**
 * Each goal with what was measured: its worst figure, and whether that will do. Goals of which nothing was measured are
 * left out.
 * @param {readonly import('./statistics.mjs').Sample[]} samples
 * @returns {(Goal & { figure: string, measured: number, verdict: 'aim' | 'must' | 'missed' })[]}
 */
export function judge(samples) {
  return goals.flatMap((goal) => {
    const measured = goal.figures.flatMap((figure) => {
      const value = valueOf(goal, figure, samples)
      return value === undefined ? [] : [{ figure, value }]
    })
    if (measured.length === 0) return []
    const worst = measured.reduce((a, b) => (isBetter(goal, a.value, b.value) ? b : a))
    const reaches = (bound) => !isBetter(goal, bound, worst.value)
    const verdict = reaches(goal.aim) ? 'aim' : reaches(goal.must) ? 'must' : 'missed'
    return [{ ...goal, figure: worst.figure, measured: worst.value, verdict }]
  })
}

function valueOf({ transport, pinned = true, candidate = OURS, beside = PEER, absolute = false }, name, samples) {
  const ours = select(samples, { transport, pinned, candidate, name })
  if (ours.length === 0) return undefined
  if (absolute) return median(ours.map(({ value }) => value))
  return compare(ours, select(samples, { transport, pinned, candidate: beside, name }))?.ratio
}

function isBetter({ better }, a, b) {
  return better === 'more' ? a > b : a < b
}
