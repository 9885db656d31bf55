// A client and a server of webtunnel as fresh processes, with HAProxy between them and the far end behind them:
//
//     load generator ── SOCKS ── PT client ══ TLS ══ HAProxy ── PT server ── far end
//     └──────────── CPU 0 ─────────────────┘        └────────── CPU 1 ─────────────┘
//
// HAProxy is in mode tcp and takes TLS off, which is the only mode that serves lyrebird's client. Ours and theirs meet the same one.
import { spawnSync } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { launch, makeFolder, readLines, removeFolder, stop } from './children.mjs'
import { PINNED, ptEnvironment } from './pair.mjs'

const HOST = 'bridge.example'
const PATH = '/kTq8Zr2LwXc5Vb7Nm9Pd4Sf6'
const PATIENCE_MS = 10_000

/**
 * Brings a pair up, hands it to `use`, and ends all its processes whatever happens.
 * @template T
 * @param {import('./pair.mjs').PairOptions} options
 * @param {(pair: import('./pair.mjs').Pair) => Promise<T>} use
 * @returns {Promise<T>}
 */
export async function withFrontPair({ loadgen, candidate, connections = 64 }, use) {
  const files = 2 * connections + 200
  const children = []
  const folders = []
  const start = (command, cpu, env) => {
    const child = launch(loadgen, command, { cpu, files, env })
    children.push(child)
    return child
  }
  const startPt = async (role, command, variables) => {
    folders.push(makeFolder())
    const child = start(command, PINNED[role], { ...ptEnvironment(folders.at(-1)), ...variables })
    const lines = await readLines(child, (line) => /^[CS]METHODS DONE$/.test(line))
    const method = lines.find((line) => line.startsWith(`${role === 'client' ? 'C' : 'S'}METHOD webtunnel `))
    if (!method) throw new Error(`the ${role} of ${candidate.name} has no webtunnel: ${lines.join(' | ')}`)
    return { pid: child.process.pid, words: method.split(' ') }
  }
  try {
    const [frontPort, ptPort] = [await freePort(), await freePort()]
    const url = `https://${HOST}:${frontPort}${PATH}`
    const farEnd = start([loadgen, 'far-end', '--buffer', '0'], PINNED.server)
    const [address] = await readLines(farEnd, () => true)
    const server = await startPt('server', candidate.server, await serverEnvironment(url, ptPort, address))
    folders.push(makeFolder())
    const pin = await startFront(folders.at(-1), { frontPort, ptPort, connections, start })
    const client = await startPt('client', candidate.client, { TOR_PT_CLIENT_TRANSPORTS: 'webtunnel' })
    const pids = [client.pid, server.pid]
    const args = await clientArgs({ url, addr: `127.0.0.1:${frontPort}`, cert: pin })
    const reach = { to: `127.0.0.1:${frontPort}`, socks: client.words[3], pids: pids.join(','), args }
    return await use({ loadgen, cpus: PINNED, files, reach, pids })
  } finally {
    await Promise.all(children.map(async (child) => await stop(child)))
    for (const folder of folders) removeFolder(folder)
  }
}

async function serverEnvironment(url, port, orport) {
  const { formatTransportOptions } = await import('../dist/ipc/index.js')
  return {
    TOR_PT_SERVER_TRANSPORTS: 'webtunnel',
    TOR_PT_SERVER_BINDADDR: `webtunnel-127.0.0.1:${port}`,
    TOR_PT_SERVER_TRANSPORT_OPTIONS: formatTransportOptions([['webtunnel', { url }]]),
    TOR_PT_ORPORT: orport,
  }
}

async function clientArgs(args) {
  const { formatClientArgs } = await import('../dist/ipc/index.js')
  return formatClientArgs(args)
}

/** Starts HAProxy with a certificate of its own; resolves with the pin of that, which is lyrebird's hash of a chain of one. */
async function startFront(folder, { frontPort, ptPort, connections, start }) {
  const [certificate, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const subject = ['-subj', `/CN=${HOST}`, '-addext', `subjectAltName=DNS:${HOST}`, '-days', '2']
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const made = spawnSync('openssl', ['req', '-x509', ...curve, ...subject, '-keyout', key, '-out', certificate])
  if (made.status !== 0) throw new Error(`openssl makes no certificate: ${String(made.stderr ?? made.error)}`)
  const pem = readFileSync(certificate)
  writeFileSync(join(folder, 'both.pem'), Buffer.concat([pem, readFileSync(key)]))
  writeFileSync(
    join(folder, 'haproxy.cfg'),
    `global
  maxconn ${connections + 100}
defaults
  mode tcp
  timeout connect 10s
  timeout client 10m
  timeout server 10m
frontend tls
  bind 127.0.0.1:${frontPort} ssl crt ${folder}/both.pem alpn http/1.1
  default_backend pt
backend pt
  server pt 127.0.0.1:${ptPort}
`,
  )
  const child = start(['haproxy', '-db', '-f', join(folder, 'haproxy.cfg')], PINNED.server)
  await untilOpen(frontPort, child)
  return createHash('sha256').update(new X509Certificate(pem).raw).digest('base64')
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function untilOpen(port, child) {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end && child.process.exitCode === null;) {
    const conn = connect(port, '127.0.0.1')
    const open = await new Promise((resolve) =>
      conn.once('connect', () => resolve(true)).once('error', () => resolve(false)),
    )
    conn.destroy()
    if (open) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`HAProxy does not listen: ${child.stderr}`)
}
