// Which cases a run has, in which order. Candidates take turns within each metric, so that what changes on the machine
// during the run meets them alike; the one that begins changes with each repetition.
import { CEILING, FLOOR, OUR_CLIENT, OUR_SERVER, OURS, PEER } from './candidates.mjs'

export const transports = ['obfs4', 'obfs3', 'obfs2']

/** Measured of each candidate; what is missing is measured of none. */
const measuredOf = {
  transfer: [PEER, OURS, OUR_CLIENT, OUR_SERVER, FLOOR, CEILING],
  bulk: [PEER, OURS, OUR_CLIENT, OUR_SERVER, FLOOR, CEILING],
  setup: [PEER, OURS, OUR_CLIENT, OUR_SERVER, FLOOR, CEILING],
  ping: [PEER, OURS, FLOOR, CEILING],
  memory: [PEER, OURS, FLOOR],
  start: [PEER, OURS, FLOOR],
}
const sides = new Set([OUR_CLIENT, OUR_SERVER, FLOOR, CEILING])
/** They change no byte: with one transport is enough. */
const withoutTransport = new Set([FLOOR, CEILING])
/** Without pinning the scheduler decides as much as the code: this metric only, of one transport, of the two. */
const unpinned = { transport: 'obfs4', metric: 'bulk', candidates: new Set([PEER, OURS]) }

/** @typedef {{ rep: number, transport: string, pinned: boolean, metric: string, candidate: string }} Case */

/**
 * @param {object} choice
 * @param {readonly string[]} choice.transports
 * @param {readonly string[]} choice.metrics
 * @param {readonly string[]} [choice.extra] candidates besides the usual, measured as ours is
 * @param {Pick<import('./settings.mjs').Settings, 'reps' | 'sideReps' | 'memoryReps' | 'everyTransport'>} choice.settings
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
          const due = names.filter((candidate) => rep < repsOf(metric, candidate, settings))
          for (const candidate of rotate(due, rep)) cases.push({ rep, transport, pinned, metric, candidate })
        }
      }
    }
  }
  return cases
}

function repsOf(metric, candidate, { reps, sideReps, memoryReps }) {
  if (metric === 'transfer') return 1
  return Math.min(metric === 'memory' ? memoryReps : reps, sides.has(candidate) ? sideReps : reps)
}

function candidatesOf({ metric, transport, pinned, first, extra }) {
  const names = measuredOf[metric].filter((name) => first || !withoutTransport.has(name))
  if (pinned) return [...names, ...extra]
  if (transport !== unpinned.transport || metric !== unpinned.metric) return []
  return [...names.filter((name) => unpinned.candidates.has(name)), ...extra]
}

function rotate(list, by) {
  return list.map((_, at) => list[(at + by) % list.length])
}
