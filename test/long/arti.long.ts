/**
 * Arti, tor in Rust, with our PT as its managed PT, in the private network of tor-network.ts: it bootstraps and fetches through
 * our bridge. All of it runs in a namespace without a route.
 *
 *     arti ── postern pt ══ postern pt ── bridge ── exit ── web server on 127.0.0.1
 */
import type { ChildProcess } from 'node:child_process'
import { execFile, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { TestContext } from 'vitest'
import { expect, onTestFinished, test, vi } from 'vitest'
import { freePort, isAlive, peer, root, tempDir } from '../support.ts'
import type { Pair, Tor, TorNetwork } from '../interop/tor-network.ts'
import { startTorNetwork } from '../interop/tor-network.ts'
import { insideNamespace, runInside } from './namespace.ts'

const main = join(root, 'dist/cli/main.js')
const pt = [process.execPath, main, 'pt']
/** Arti does not try a guard again for half a minute after a failure. */
const PATIENCE = 90_000
/** What Arti says of lines that it does not understand, and of its own faults. */
const complaints = /unknown PT line|Couldn't parse IPC line|Bug:|repeated key/

interface Bridge {
  readonly line: string
  readonly network: TorNetwork
  readonly authorities: readonly string[]
}

async function startBridge(context: TestContext): Promise<Bridge> {
  const dir = tempDir()
  const bridgeArgs = (bridge: Tor): string => /cert=.*/.exec(bridge.readFile('pt_state/obfs4_bridgeline.txt'))![0]
  const network = await startTorNetwork({
    tor: peer('tor', context),
    torGencert: peer('tor-gencert', context),
    dir,
    pairs: [{ name: 'arti', transport: 'obfs4', clientExec: pt, serverExec: pt, bridgeArgs }],
  })
  onTestFinished(async () => await network[Symbol.asyncDispose]())
  const torrc = (network.pairs.get('arti') as Pair).client.readFile('torrc')
  const line = /^Bridge (.*)$/m.exec(torrc)![1]!
  const authorities = [...torrc.matchAll(/v3ident=(\w+)/g)].map(([, id]) => id!)
  return { line, network, authorities }
}

/** What a private network needs of Arti; it must find no other one. */
function configuration(dir: string, { authorities }: Bridge, line: string): string {
  return `
[application]
allow_running_as_root = true
[proxy]
socks_listen = "127.0.0.1:auto"
[logging]
console = "info,tor_ptmgr=trace"
[storage]
cache_dir = "${dir}/cache"
state_dir = "${dir}/state"
port_info_file = "${dir}/ports.json"
[bridges]
enabled = true
bridges = ["${line}"]
[[bridges.transports]]
protocols = ["obfs4"]
path = "${process.execPath}"
arguments = ["${main}", "pt"]
[path_rules]
ipv4_subnet_family_prefix = 33
[address_filter]
allow_local_addrs = true
[tor_network]
fallback_caches = []
[tor_network.authorities]
v3idents = [${authorities.map((id) => `"${id}"`).join(', ')}]
`
}

class Arti {
  readonly child: ChildProcess
  readonly dir: string
  log = ''

  constructor(context: TestContext, bridge: Bridge, line = bridge.line) {
    this.dir = join(tempDir(), 'arti')
    mkdirSync(this.dir, { mode: 0o700 })
    const file = join(this.dir, 'arti.toml')
    writeFileSync(file, configuration(this.dir, bridge, line), { mode: 0o600 })
    this.child = spawn(peer('arti', context), ['-c', file, 'proxy'], { stdio: ['ignore', 'pipe', 'pipe'] })
    onTestFinished(() => void this.child.kill('SIGKILL'))
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (chunk: Buffer) => (this.log += chunk.toString('latin1')))
    }
  }

  async logged(pattern: RegExp): Promise<void> {
    await vi
      .waitUntil(() => pattern.test(this.log), { timeout: PATIENCE, interval: 50 })
      .catch(() => {
        throw new Error(`Arti did not say ${pattern}:\n${this.log.slice(-4_000)}`)
      })
  }

  /** Its PT, which is the one process that it has started. */
  get pt(): number {
    const [pid] = childrenOf(this.child.pid!)
    if (pid === undefined) throw new Error('Arti has no PT')
    return pid
  }

  async ready(): Promise<string> {
    await this.logged(/Sufficiently bootstrapped/)
    const { ports } = JSON.parse(readFileSync(join(this.dir, 'ports.json'), 'utf8')) as { ports: { address: string }[] }
    return ports[0]!.address.replace('inet:', '')
  }
}

async function fetchThrough(context: TestContext, socks: string, url: string): Promise<string> {
  const args = ['-sS', '--max-time', '60', '--retry', '5', '--retry-all-errors', '-x', `socks5h://${socks}`, url]
  const { stdout } = await promisify(execFile)(peer('curl', context), args, { encoding: 'buffer', maxBuffer: 1 << 24 })
  return createHash('sha256').update(stdout).digest('hex')
}

/** The processes that any thread of a process has started. */
function childrenOf(pid: number): number[] {
  try {
    const threads = readdirSync(`/proc/${pid}/task`)
    const lists = threads.map((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1'))
    return lists.flatMap((list) => list.split(' ').filter((word) => word.trim() !== '')).map(Number)
  } catch {
    return []
  }
}

function pidsBelow(pid: number): number[] {
  const children = childrenOf(pid)
  return [...children, ...children.flatMap(pidsBelow)]
}

/** All of it with one network, which takes half a minute to start. */
async function throughArti(context: TestContext): Promise<void> {
  const bridge = await startBridge(context)
  const file = randomBytes(2 << 20)
  const hash = createHash('sha256').update(file).digest('hex')
  const web = createServer((_, response) => response.end(file)).listen(0, '127.0.0.1')
  onTestFinished(() => void web.close())
  await once(web, 'listening')
  const url = `http://127.0.0.1:${(web.address() as AddressInfo).port}/`

  const arti = new Arti(context, bridge)
  const socks = await arti.ready()
  expect(await fetchThrough(context, socks, url)).toBe(hash)
  process.kill(arti.pt, 'SIGKILL')
  expect(await fetchThrough(context, socks, url)).toBe(hash)
  expect(arti.log).not.toMatch(complaints)
  const below = pidsBelow(arti.child.pid!)
  expect(below.length).toBeGreaterThan(0)
  arti.child.kill('SIGTERM')
  await vi.waitUntil(() => below.every((pid) => !isAlive(pid)), { timeout: 5_000, interval: 50 })

  const wrong = new Arti(context, bridge, bridge.line.replace(/cert=\S+/, 'cert=AAAA'))
  await wrong.logged(/malformed argument 'cert'/)

  const closed = new Arti(context, bridge, bridge.line.replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${await freePort()}`))
  await closed.logged(/the target cannot be reached|ECONNREFUSED/)
  for (const { log } of [wrong, closed]) expect(log).not.toMatch(complaints)
}

const title =
  'FLOW-1, STATUS-1: Arti bootstraps and fetches through our PT, starts it again if it is killed, and leaves none behind'

if (insideNamespace) test(title, { timeout: 900_000 }, throughArti)
else
  test(`in a namespace: ${title}`, { timeout: 900_000 }, async (context) => {
    peer('arti', context)
    await runInside(import.meta.url, context)
  })
