/** When TCP asks after the other end of each socket of the PTs, while all is silent: seconds from now. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'

export async function scene(stage, { transport, client, server }) {
  let served
  const accepted = new Promise((resolve) => (served = resolve))
  const orPort = await stage.service(served)
  const bridge = await stage.server(server, transport, orPort)
  const dialler = await stage.client(client, transport)
  const near = await dialler.dial(bridge)
  near.write('there')
  const far = await accepted
  far.write('and back')
  await once(near, 'readable')
  const places = {
    'client, application': { local: dialler.port },
    'client, wire': { peer: bridge.port },
    'server, wire': { local: bridge.port },
    'server, application': { peer: orPort },
  }
  const lines = silentSockets()
  return Object.fromEntries(Object.entries(places).map(([name, place]) => [name, secondsOf(lines, place)]))
}

/** Lines of `ss`: `0 0 127.0.0.1:443 127.0.0.1:50312 timer:(keepalive,14sec,0)`. */
function silentSockets() {
  for (let times = 0; times < 1_000; times++) {
    const { stdout } = spawnSync('ss', ['-tnoH', 'state', 'established'], { encoding: 'utf8' })
    // As long as something is not acknowledged, another timer runs.
    if (!stdout.includes('timer:(on,')) return stdout.split('\n')
  }
  throw new Error('there is always something on its way')
}

function secondsOf(lines, { local, peer }) {
  const line = lines.find((line) => {
    const [, , from = '', to = ''] = line.trim().split(/\s+/)
    return local === undefined ? to.endsWith(`:${peer}`) : from.endsWith(`:${local}`)
  })
  const [, seconds, ms] = /timer:\(keepalive,(?:(\d+)sec|(\d+)ms)/.exec(line ?? '') ?? []
  return ms !== undefined ? Number(ms) / 1_000 : seconds === undefined ? undefined : Number(seconds)
}
