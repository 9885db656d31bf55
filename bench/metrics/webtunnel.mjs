// Our client and server of webtunnel beside lyrebird's client and webtunnel's own server, each through an HAProxy of its own: throughput
// with 1 and 64 streams, CPU time of both ends, set-ups, and what a thousand idle connections add to the memory.
import { withFrontPair } from '../front-pair.mjs'
import { launchLoad, load } from '../load.mjs'
import { residentMiB } from '../memory.mjs'
import { readLines, stop } from '../children.mjs'
import { setTimeout as sleep } from 'node:timers/promises'
import { bothEnds } from './ends.mjs'

const MB = 1e6
const GB = 1e9
const MS_PER_S = 1_000
const IDLE = 1_000
const IN_FLIGHT = 32
/** lyrebird passes on no end of its application, so each connection of a window stays open until its processes end. */
const LEFT_OPEN = 9_000
/** More than any candidate opens in a window. */
const NO_LIMIT = 100_000
const PATIENCE_MS = 120_000

/** @type {import('./index.mjs').Measure} */
export async function measureWebtunnel(options, settings, add) {
  const { windowSeconds, warmSeconds, fillSeconds, setupSeconds, transferBytes } = settings
  await withFrontPair({ ...options, connections: LEFT_OPEN }, async (pair) => {
    // A fast PT must be a right one.
    await load(pair, 'transfer', { bytes: transferBytes / 4 })
    for (const streams of [1, 64]) {
      for (const way of ['up', 'down']) {
        const warm = streams > 1 && way === 'up' ? fillSeconds : 2 * warmSeconds
        const said = await load(pair, 'bulk', { way, streams, seconds: windowSeconds, warm })
        add(...readWindow(said, `${way}, ${streams === 1 ? '1 stream' : `${streams} streams`}`))
      }
    }
    const many = { count: NO_LIMIT, flight: IN_FLIGHT, seconds: setupSeconds, warm: 2 * warmSeconds }
    add(...readSetups(await load(pair, 'connect', many)))
  })
  await withFrontPair({ ...options, connections: IDLE }, async (pair) => {
    await load(pair, 'connect', { count: 1, warm: 0 })
    add(...(await memoryOfIdle(pair, settings)))
  })
}

function readWindow({ seconds, bytes, dead, cpu }, name) {
  if (dead > 0) throw new Error(`${name}: ${dead} streams ended during the window`)
  if (bytes === 0) throw new Error(`${name}: nothing arrived during the window`)
  return [
    { name, unit: 'MB/s', better: 'more', value: bytes / MB / seconds },
    ...bothEnds(
      name,
      's/GB',
      cpu.map((used) => used / (bytes / GB)),
    ),
  ]
}

function readSetups({ seconds, done, cpu }) {
  return [
    { name: `set-up, ${IN_FLIGHT} in flight`, unit: 'conn/s', better: 'more', value: done / seconds },
    ...bothEnds(
      'a connection',
      'ms',
      cpu.map((used) => (used * MS_PER_S) / done),
    ),
  ]
}

async function memoryOfIdle(pair, { settleMs }) {
  await sleep(settleMs)
  const before = pair.pids.map(residentMiB)
  const child = launchLoad(pair, 'hold', { count: IDLE, flight: IN_FLIGHT })
  try {
    const { done, failed } = JSON.parse((await readLines(child, () => true, PATIENCE_MS))[0])
    if (done < IDLE) throw new Error(`only ${done} of ${IDLE} connections could be held, ${failed} failed`)
    await sleep(settleMs)
    const after = pair.pids.map(residentMiB)
    return ['client', 'server'].flatMap((end, at) => [
      { name: `idle RSS, ${end}`, unit: 'MiB', better: 'less', value: before[at] },
      { name: `RSS per 1,000 connections, ${end}`, unit: 'MiB', better: 'less', value: after[at] - before[at] },
    ])
  } finally {
    await stop(child)
  }
}
