// From fork to METHODS DONE, and the CPU time of a process that does nothing but start and end.
import { makeFolder, launch, readLines, removeFolder, stop } from '../children.mjs'
import { startEnvironment } from '../pair.mjs'

const US_PER_MS = 1_000
const PATIENCE_MS = 120_000

/** @type {import('./index.mjs').Measure} */
export async function measureStart({ loadgen, candidate, transport, pinned }, { starts }, add) {
  for (const [cpu, end] of ['client', 'server'].entries()) {
    const folder = makeFolder()
    const env = startEnvironment(end, transport, folder)
    const command = [loadgen, 'start', '--count', String(starts), '--', ...candidate[end]]
    const child = launch(loadgen, command, { cpu: pinned ? cpu : undefined, env })
    try {
      const { failed, us, cpu_us } = JSON.parse((await readLines(child, () => true, PATIENCE_MS))[0])
      if (failed > 0) throw new Error(`${failed} starts of the ${end} failed: ${child.stderr}`)
      add(
        { name: `start to METHODS DONE, ${end}`, unit: 'ms', better: 'less', value: us.p50 / US_PER_MS },
        { name: `CPU of a start, ${end}`, unit: 'ms', better: 'less', value: cpu_us.p50 / US_PER_MS },
      )
    } finally {
      await stop(child)
      removeFolder(folder)
    }
  }
}
