// Which cases a run has, in which order. Candidates take turns within each metric, so that what changes on the machine
// during the run meets them alike; the one that begins changes with each repetition.
import {
  CEILING,
  FLOOR,
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

export const transports = ['obfs4', 'obfs3', 'obfs2']

/** Measured of each candidate; what is missing is measured of none. */
const measuredOf = {
  transfer: [PEER, OURS, SUCCESSOR, OUR_CLIENT, OUR_SERVER, FLOOR, CEILING],
  bulk: [PEER, OURS, SUCCESSOR, OUR_CLIENT, OUR_SERVER, FLOOR, CEILING],
  setup: [PEER, OURS, SUCCESSOR, OUR_CLIENT, OUR_SERVER, FLOOR, CEILING],
  first: [PEER, OURS, SUCCESSOR],
  beside: [PEER, OURS],
  ping: [PEER, OURS, SUCCESSOR, FLOOR, CEILING],
  memory: [PEER, OURS, SUCCESSOR, FLOOR],
  start: [PEER, OURS, SUCCESSOR, FLOOR],
  tunnels: [PEER, OURS, TUNNEL, ISOLATED, PTADAPTER, FLOOR, CEILING],
  tls: [NODE_TLS, OUR_TLS],
  // obfs4proxy has no server of meek, so both clients meet ours.
  meek: [OUR_SERVER, OURS],
  webtunnel: [WEBTUNNEL_PEER, OURS],
}
const sides = new Set([OUR_CLIENT, OUR_SERVER, FLOOR, CEILING])
/** The last two change no byte, and what lyrebird is good for shows with obfs4: with one transport is enough. */
const firstOnly = new Set([SUCCESSOR, FLOOR, CEILING])
/** Without pinning the scheduler decides as much as the code: this metric only, of one transport, of the two. */
const unpinned = { transport: 'obfs4', metric: 'bulk', candidates: new Set([PEER, OURS]) }

/** Of one transport, behind its bulk: what a connection costs processes that have carried that. */
export function isMeasuredInUse({ transport, pinned }) {
  return pinned && transport === 'obfs4'
}

/** The metrics that have a run of their own, and under which name their figures stand in place of a transport's. */
export const apart = { tunnels: undefined, tls: 'TLS', meek: 'meek', webtunnel: 'webtunnel' }

/** @typedef {{ rep: number, transport: string, pinned: boolean, metric: string, candidate: string }} Case */

/**
 * @param {object} choice
 * @param {readonly string[]} choice.transports
 * @param {readonly string[]} choice.metrics
 * @param {readonly string[]} [choice.extra] candidates besides the usual, measured as ours is
 * @param {Pick<import('./settings.mjs').Settings, 'reps' | 'sideReps' | 'memoryReps' | 'otherMemoryReps' | 'everyTransport'>} choice.settings
 * @returns {Case[]}
 */
export function plan({ transports, metrics, extra = [], settings }) {
  const cases = []
  for (let rep = 0; rep < settings.reps; rep++) {
    for (const [place, transport] of transports.entries()) {
      for (const pinned of [true, false]) {
        for (const metric of metrics) {
          if (place > 0 && !settings.everyTransport.includes(metric)) continue
          const names = candidatesOf({ metric, transport, pinned, first: place === 0, extra })
          const due = names.filter((candidate) => rep < repsOf(metric, candidate, place, settings))
          const title = apart[metric] ?? transport
          for (const candidate of rotate(due, rep)) cases.push({ rep, transport: title, pinned, metric, candidate })
        }
      }
    }
  }
  return cases
}

/** To start a pair, to hand the connections over and to end it, in seconds. */
const PAIR_SECONDS = 0.5
/** Connections per second that even the slower candidates open. */
const PACE = 600

/** Of connections and round trips behind bulk. */
const IN_USE_SECONDS = 5

/** Roughly the seconds that a case of each metric takes on a machine of this decade. */
const secondsOf = {
  transfer: () => 2,
  bulk: ({ streams, windowSeconds, warmSeconds, fillSeconds }) =>
    2 * streams.length * (windowSeconds + warmSeconds) + fillSeconds - warmSeconds,
  setup: ({ setups, setupSeconds, warmSeconds }) => setups / 200 + setupSeconds + warmSeconds,
  first: () => 1,
  beside: ({ besideSeconds }) => besideSeconds,
  ping: ({ pings, warmPings }) => (4 * pings + warmPings) / 8_000,
  memory: ({ held, settleMs }) => held / PACE + settleMs / 500,
  start: ({ starts }) => starts / 6,
  meek: ({ windowSeconds, warmSeconds }) => 4 * (windowSeconds + 2 * warmSeconds) + 2,
  tls: ({ windowSeconds }) => 3 * windowSeconds + 2,
  webtunnel: ({ windowSeconds, warmSeconds, fillSeconds, setupSeconds, settleMs }) =>
    4 * windowSeconds + 8 * warmSeconds + fillSeconds + setupSeconds + settleMs / 500 + 1_000 / PACE + 2,
  tunnels: ({ windowSeconds, warmSeconds, setupSeconds }) => 2 * windowSeconds + 5 * warmSeconds + setupSeconds + 2,
}

/**
 * How long the cases will take, in seconds.
 * @param {readonly Case[]} cases
 * @param {import('./settings.mjs').Settings} settings
 */
export function estimate(cases, settings) {
  return cases.reduce((sum, one) => sum + secondsOf[one.metric](settings) + secondsInUse(one) + PAIR_SECONDS, 0)
}

function secondsInUse({ metric, transport, pinned }) {
  return metric === 'bulk' && isMeasuredInUse({ transport, pinned }) ? IN_USE_SECONDS : 0
}

function repsOf(metric, candidate, place, { reps, sideReps, memoryReps, otherMemoryReps }) {
  if (metric === 'transfer') return 1
  if (metric === 'meek') return reps
  const most = metric !== 'memory' ? reps : place === 0 ? memoryReps : otherMemoryReps
  return Math.min(most, sides.has(candidate) ? sideReps : reps)
}

function candidatesOf({ metric, transport, pinned, first, extra }) {
  const names = measuredOf[metric].filter((name) => first || !firstOnly.has(name))
  if (pinned) return metric === 'tls' || metric === 'meek' ? names : [...names, ...extra]
  if (transport !== unpinned.transport || metric !== unpinned.metric) return []
  return [...names.filter((name) => unpinned.candidates.has(name)), ...extra]
}

function rotate(list, by) {
  return list.map((_, at) => list[(at + by) % list.length])
}
