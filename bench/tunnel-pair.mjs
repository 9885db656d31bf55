// A tunnel as fresh processes, with the far end behind it:
//
//     load generator ── TCP ── tunnel's client ── transport ── tunnel's server ── far end
//     └────────────────── CPU 0 ─────────────┘             └──────── CPU 1 ────────┘
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { builtFolder } from '../scripts/peers.mjs'
import { launch, makeFolder, readLines, removeFolder, stop } from './children.mjs'
import { PINNED } from './pair.mjs'

const PATIENCE_MS = 20_000

/**
 * Brings a tunnel up, hands it to `use`, and ends all its processes whatever happens.
 * @template T
 * @param {import('./pair.mjs').PairOptions} options whose candidate has a `tunnel`
 * @param {(pair: import('./pair.mjs').Pair) => Promise<T>} use
 * @returns {Promise<T>}
 */
export async function withTunnel({ loadgen, candidate, transport, connections = 64 }, use) {
  const files = 4 * connections + 200
  const folder = makeFolder()
  const children = []
  const start = (command, cpu) => {
    const child = launch(loadgen, command, { cpu, files, env: { HOME: folder } })
    children.push(child)
    return child
  }
  try {
    const farEnd = start([loadgen, 'far-end', '--buffer', '0'], PINNED.server)
    const [address] = await readLines(farEnd, () => true)
    const ends = { ours: startOurs, ptadapter: startPtadapter }[candidate.tunnel.kind]
    const { to, roots } = await ends({ ...candidate.tunnel, transport, folder, address, start })
    const pids = roots.flatMap(withChildren)
    return await use({ loadgen, cpus: PINNED, files, reach: { to, pids: pids.join(',') }, pids })
  } finally {
    await Promise.all(children.toReversed().map(async (child) => await stop(child)))
    removeFolder(folder)
  }
}

/** `postern server` and `postern client`, whose events are JSON. */
async function startOurs({ command, flags, transport, folder, address, start }) {
  const common = ['--json', '--max-connections', '4096', ...flags]
  const where = ['--listen', '127.0.0.1:0', '--forward', address, '--state-dir', join(folder, 'server')]
  const server = start([...command, 'server', transport, ...where, ...common], PINNED.server)
  const { bridgeLineFile } = await readyOf(server)
  const client = start([...command, 'client', '--file', bridgeLineFile, ...common], PINNED.client)
  const { listen } = await readyOf(client)
  return { to: listen, roots: [client.process.pid, server.process.pid] }
}

async function readyOf(child) {
  const lines = await readLines(child, (line) => line.includes('"event":"ready"'), PATIENCE_MS)
  return JSON.parse(lines.at(-1))
}

/** ptadapter, which launches our PT at both ends. It says nothing when it is ready, so its ports are asked. */
async function startPtadapter({ command, transport, folder, address, start }) {
  const program = join(builtFolder('ptadapter'), 'bin/ptadapter')
  const [bridge, local] = [await freePort(), await freePort()]
  const options = {}
  const launchEnd = async (flag, port, sections) => {
    const file = join(folder, `ptadapter${flag}.ini`)
    writeFileSync(file, sections.map(([name, values]) => sectionOf(name, values)).join('\n'))
    const child = start([program, flag, file], flag === '-E' ? PINNED.server : PINNED.client)
    await untilOpen(port, child)
    return child
  }
  const server = await launchEnd('-E', bridge, [
    ['server', { exec: command.join(' '), state: join(folder, 'server'), forward: address, tunnels: 'one' }],
    ['one', { transport, listen: `127.0.0.1:${bridge}` }],
  ])
  if (transport === 'obfs4') {
    const line = readFileSync(join(folder, 'server/obfs4_bridgeline.txt'), 'latin1')
    Object.assign(options, { 'options-cert': /cert=(\S+)/.exec(line)[1], 'options-iat-mode': '0' })
  }
  const client = await launchEnd('-C', local, [
    ['client', { exec: command.join(' '), state: join(folder, 'client'), tunnels: 'one' }],
    ['one', { transport, listen: `127.0.0.1:${local}`, upstream: `127.0.0.1:${bridge}`, ...options }],
  ])
  return { to: `127.0.0.1:${local}`, roots: [client.process.pid, server.process.pid] }
}

function sectionOf(name, values) {
  return `[${name}]\n${Object.entries(values)
    .map(([key, value]) => `${key} = ${value}\n`)
    .join('')}`
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Looks into the system's table, because a connection would lead through the tunnel. */
async function untilOpen(port, child) {
  const row = new RegExp(`:${port.toString(16).toUpperCase().padStart(4, '0')} \\w+:0000 0A `)
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end;) {
    if (row.test(readFileSync('/proc/net/tcp', 'latin1'))) return
    if (child.process.exitCode !== null) break
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`ptadapter does not listen: ${child.stderr}`)
}

/** A process, and the PT that it has started. */
function withChildren(pid) {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim()
  return [pid, ...(text === '' ? [] : text.split(' ').flatMap((child) => withChildren(Number(child))))]
}
