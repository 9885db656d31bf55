/**
 * What a connection costs in memory, and whether any of it stays: Postern and obfs4proxy in turn, client and server.
 *
 *     node bench/obfs4-memory.mjs [--write]       Linux; needs a build, and obfs4proxy for the comparison
 *
 * Each pair of processes is warmed up by 200 connections. Then 1,000 idle connections are opened, held and closed, five times
 * over. A connection is idle once a byte has gone each way. RSS is the resident set as the kernel counts it; heap is what
 * Node has in use, with buffers, behind a garbage collection that is asked for.
 */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { launchClient, launchServer } from '../dist/parent/index.js'

const ROUNDS = 5
const CONNECTIONS = 1_000
const PARALLEL = 32
const SETTLE = 2_500

const root = fileURLToPath(new URL('../', import.meta.url))
const implementations = {
  Postern: [
    process.execPath,
    '--expose-gc',
    '--import',
    join(root, 'bench/collect-garbage.mjs'),
    join(root, 'dist/cli/main.js'),
    'pt',
  ],
  obfs4proxy: 'obfs4proxy',
}

/** MiB. */
function residentSet(pid) {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(kib) / 1024
}

/** Opens connections through both, a few at a time, each with a byte each way. */
async function open(count, { client, address, args, waiting }) {
  const conns = []
  const worker = async () => {
    while (conns.length + pending < count) {
      pending++
      const accepted = new Promise((resolve) => waiting.push(resolve))
      const conn = await client.connect('obfs4', address, { args })
      conn.on('error', () => {})
      conn.write('x')
      const far = await accepted
      await once(conn, 'data')
      conns.push({ conn, far })
      pending--
    }
  }
  let pending = 0
  await Promise.all(Array.from({ length: PARALLEL }, worker))
  return conns
}

async function close(conns) {
  await Promise.all(
    conns.map(async ({ conn, far }) => {
      const closed = [conn, far].map((stream) => new Promise((resolve) => stream.once('close', resolve)))
      conn.destroy()
      far.destroy()
      await Promise.all(closed)
    }),
  )
}

async function measure(exec) {
  const folders = [0, 1].map(() => mkdtempSync(join(tmpdir(), 'postern-bench-')))
  const pids = {}
  const waiting = []
  const heaps = {}
  const listen = (role) => (event) => {
    if (event.type === 'launching') pids[role] = event.pid
    if (event.type === 'stderr' && event.line.startsWith('heap ')) heaps[role]?.(Number(event.line.slice(5)) / 2 ** 20)
  }
  const server = await launchServer({
    exec,
    transports: [{ name: 'obfs4', bindAddress: '127.0.0.1:0' }],
    stateDir: folders[0],
    // It answers and does not speak first: obfs4proxy's client leaves what comes in one segment with the handshake's answer
    // unread until more comes.
    onConnection({ conn }) {
      conn.on('error', () => {}).once('data', () => conn.write('y'))
      waiting.shift()(conn)
    },
    onEvent: listen('server'),
  })
  const client = await launchClient({ exec, transports: ['obfs4'], stateDir: folders[1], onEvent: listen('client') })
  const { address, args } = server.methods.get('obfs4')
  const peers = { client, address: `${address.host}:${address.port}`, args, waiting }
  const heap = async (role) => {
    if (!Array.isArray(exec)) return undefined
    const answer = new Promise((resolve) => (heaps[role] = resolve))
    process.kill(pids[role], 'SIGUSR2')
    return await answer
  }
  const memory = async (role) => ({ heap: await heap(role), rss: residentSet(pids[role]) })
  const row = async (what) => ({ what, client: await memory('client'), server: await memory('server') })
  const rows = [await row('started')]
  await close(await open(200, peers))
  await sleep(SETTLE)
  rows.push(await row('after 200 connections'))
  for (let round = 1; round <= ROUNDS; round++) {
    const conns = await open(CONNECTIONS, peers)
    await sleep(SETTLE)
    rows.push(await row(`round ${round}: ${CONNECTIONS} idle`))
    await close(conns)
    await sleep(SETTLE)
    rows.push(await row(`round ${round}: closed`))
  }
  await client.stop()
  await server.stop()
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
  return rows
}

const number = (value) => (value === undefined ? '' : value.toFixed(1))

function report(name, rows) {
  const table = rows.map(
    ({ what, client, server }) =>
      `| ${what} | ${[client.rss, client.heap, server.rss, server.heap].map(number).join(' | ')} |`,
  )
  // From 200 connections, all closed, to the first 1,000 held; and from the end of the first round to that of the last.
  const held = (role, kind) => number(((rows[2][role][kind] - rows[1][role][kind]) * 1024) / CONNECTIONS)
  const stays = (role, kind) =>
    number(((rows.at(-1)[role][kind] - rows[3][role][kind]) * 2 ** 20) / CONNECTIONS / (ROUNDS - 1))
  const kind = rows[0].client.heap === undefined ? 'rss' : 'heap'
  return `## ${name}

| MiB | client RSS | heap | server RSS | heap |
| --- | --: | --: | --: | --: |
${table.join('\n')}

A connection, held: client ${held('client', 'rss')} KiB of RSS, server ${held('server', 'rss')} KiB. What stays of each of
${(ROUNDS - 1) * CONNECTIONS} more that were opened and closed, in bytes of ${kind}: client ${stays('client', kind)}, server ${stays('server', kind)}.
`
}

const sections = []
for (const [name, exec] of Object.entries(implementations)) {
  const section = report(name, await measure(exec))
  console.log(section)
  sections.push(section)
}
if (process.argv.includes('--write')) {
  const version = execFileSync('obfs4proxy', ['-version'], { encoding: 'utf8' }).trim()
  const head = `# Memory of obfs4 connections

Written by \`node bench/obfs4-memory.mjs --write\`, whose header says what is done. ${cpus().length} cores (${cpus()[0].model.trim()}),
Node ${process.version}, ${version}.
`
  writeFileSync(join(root, 'bench/obfs4-memory.md'), [head, ...sections].join('\n'))
}
