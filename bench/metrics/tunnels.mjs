// `postern server` and `postern client` beside ptadapter, beside a PT pair under the same load, and beside a relay: how many bytes a
// second of CPU time carries, at both ends together, and how much memory the processes have.
import { readFileSync } from 'node:fs'
import { load } from '../load.mjs'
import { withPair } from '../pair.mjs'
import { withTunnel } from '../tunnel-pair.mjs'

const MB = 1e6
const GB = 1e9
const KIB = 2 ** 10
const MIB = 2 ** 20

/** @type {import('./index.mjs').Measure} */
export async function measureTunnels(options, { windowSeconds, warmSeconds, setupSeconds }, add) {
  const using = options.candidate.tunnel === undefined ? withPair : withTunnel
  await using({ ...options, connections: 512 }, async (pair) => {
    for (const way of ['down', 'up']) {
      const window = { way, streams: 8, seconds: windowSeconds, warm: 2 * warmSeconds }
      add(...readWindow(await load(pair, 'bulk', window), `tunnel ${way}, 8 streams`))
    }
    const opened = await load(pair, 'connect', { flight: 32, count: 100_000, seconds: setupSeconds, warm: warmSeconds })
    add(...readSetups(opened))
    if (pair.pids.length > 0) {
      add({ name: 'tunnel: RSS of all processes', unit: 'MiB', better: 'less', value: residentOf(pair.pids) })
    }
  })
}

function readWindow({ seconds, bytes, dead, cpu }, name) {
  if (dead > 0) throw new Error(`${name}: ${dead} streams ended during the window`)
  if (bytes === 0) throw new Error(`${name}: nothing arrived during the window`)
  const used = sum(cpu)
  return [
    { name, unit: 'MB/s', better: 'more', value: bytes / MB / seconds },
    ...(used === 0
      ? []
      : [
          { name: `${name}: CPU, both`, unit: 's/GB', better: 'less', value: used / (bytes / GB) },
          { name: `${name}: per second of CPU`, unit: 'MB', better: 'more', value: bytes / MB / used },
        ]),
  ]
}

function readSetups({ seconds, done, cpu }) {
  const used = sum(cpu)
  return [
    { name: 'tunnel set-up, 32 in flight', unit: '/s', better: 'more', value: done / seconds },
    ...(used === 0
      ? []
      : [{ name: 'tunnel, a connection: CPU, both', unit: 'ms', better: 'less', value: (1_000 * used) / done }]),
  ]
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0)
}

function residentOf(pids) {
  const bytes = pids.map(
    (pid) => KIB * Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))[1]),
  )
  return sum(bytes) / MIB
}
