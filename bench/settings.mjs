// How much of everything: the full run, and the quick one.

/**
 * @typedef {object} Settings
 * @property {number} reps repetitions, each with fresh processes
 * @property {number} sideReps of those, how many have what is not ours nor obfs4proxy alone: mixed ends, floor, ceiling
 * @property {number} memoryReps and how many hold the idle connections
 * @property {number} otherMemoryReps the same for transports after the first
 * @property {string[]} everyTransport the metrics of transports after the first, which has all
 * @property {number[]} streams of bulk
 * @property {number} windowSeconds what is measured of each
 * @property {number} warmSeconds before that; with less the first window would measure Node's compiler
 * @property {number} fillSeconds the same where many streams go up: first the buffers of all sockets on the way have to fill
 * @property {number} setups one after another
 * @property {number} setupSeconds of 32 in flight
 * @property {number} besideSeconds how long streams are busy while others are set up
 * @property {number} pings of each size
 * @property {number} warmPings before those
 * @property {number} held idle connections
 * @property {number} settleMs before memory is read
 * @property {number} starts of each end
 * @property {number} transferBytes each way
 * @property {number[]} growth numbers of connections
 */

/** @type {Settings} */
export const full = {
  reps: 5,
  sideReps: 2,
  memoryReps: 3,
  otherMemoryReps: 1,
  everyTransport: ['transfer', 'bulk', 'setup', 'ping', 'memory', 'start'],
  streams: [1, 8, 64],
  windowSeconds: 2,
  warmSeconds: 0.7,
  fillSeconds: 1.5,
  setups: 400,
  setupSeconds: 1.5,
  besideSeconds: 4,
  pings: 2_000,
  warmPings: 20_000,
  held: 4_000,
  settleMs: 1_000,
  starts: 10,
  transferBytes: 16 * 2 ** 20,
  growth: [1, 10, 100, 1_000, 10_000],
}

/**
 * Shorter windows and fewer repetitions: good for a look at a change, less so for p99 and for CPU per connection.
 * @type {Settings}
 */
export const quick = {
  ...full,
  reps: 3,
  sideReps: 1,
  memoryReps: 1,
  everyTransport: ['transfer', 'bulk', 'setup'],
  windowSeconds: 1,
  setups: 300,
  setupSeconds: 1,
  pings: 1_500,
  settleMs: 500,
  starts: 5,
  transferBytes: 4 * 2 ** 20,
}

/** Files that a PT has open besides two for each connection. */
const SPARE_FILES = 100

/**
 * The most connections that a PT can hold under a limit of open files.
 * @param {number} limit
 */
export function mostConnections(limit) {
  return Math.max(0, Math.floor((limit - SPARE_FILES) / 2))
}
