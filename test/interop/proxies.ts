/** Real upstream proxies, each on a free port of loopback, and with 127.0.0.2 as the address that it connects from. */
import type { ChildProcess } from 'node:child_process'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { getuid } from 'node:process'
import type { ProxyUri } from 'postern/ipc'
import type { TestContext } from 'vitest'
import { expect, onTestFinished } from 'vitest'
import { freePort, peer, tempDir } from '../support.ts'

/** Where the proxies connect from, so that a direct connection is told from theirs. */
export const PROXY_SOURCE = '127.0.0.2'

const USER = 'postern'
/** What a word of tinyproxy's configuration can hold. */
const PLAIN_PASSWORD = 'secret'
const PASSWORD = 'se:cr et'
/** The crypt(3) form of PASSWORD, as /etc/shadow holds it. */
const PASSWORD_HASH = '$6$ab$ajpGtS5vMP86Uq.WmyVlwE64j5AjK856KyoBrZk44KZ1ITxILrL91ovQxBjKUy.4/TzWZyEd78USjKF.qpJHe/'

interface RunningProxy {
  readonly uri: ProxyUri
  /** Ends it and all of its processes at once, with SIGKILL. */
  kill(): Promise<void>
}

type Start = (context: TestContext) => Promise<RunningProxy>

export async function microsocks(context: TestContext): Promise<RunningProxy> {
  const port = await freePort()
  const child = spawn(peer('microsocks', context), ['-i', '127.0.0.1', '-p', String(port), '-b', PROXY_SOURCE])
  return await running(child, { protocol: 'socks5', address: { host: '127.0.0.1', port } })
}

async function microsocksWithPassword(context: TestContext): Promise<RunningProxy> {
  const port = await freePort()
  const login = ['-u', USER, '-P', PASSWORD]
  const options = ['-i', '127.0.0.1', '-p', String(port), '-b', PROXY_SOURCE]
  const child = spawn(peer('microsocks', context), [...options, ...login])
  const address = { host: '127.0.0.1', port }
  return await running(child, { protocol: 'socks5', address, user: USER, password: PASSWORD })
}

/** Dante asks the system's accounts: it sees an /etc/passwd and an /etc/shadow that hold the one user. */
export async function danted(context: TestContext): Promise<RunningProxy> {
  const dir = tempDir()
  const root = 'root:x:0:0::/:/bin/false'
  writeFileSync(join(dir, 'passwd'), `${root}\n${USER}:x:64999:65534::/:/bin/false\n`)
  writeFileSync(join(dir, 'shadow'), `root:*:19000:0:99999:7:::\n${USER}:${PASSWORD_HASH}:19000:0:99999:7:::\n`)
  return await runDanted(context, dir, 'username', { protocol: 'socks5', user: USER, password: PASSWORD })
}

/** Dante speaks SOCKS 4 too, where it takes any user; but not 4a: it would connect to 0.0.0.1. */
async function dantedSocks4(context: TestContext): Promise<RunningProxy> {
  return await runDanted(context, tempDir(), 'none', { protocol: 'socks4a', user: USER })
}

/**
 * In a mount namespace of its own, where the accounts are what `dir` has of them and nothing else changes, and in a
 * process namespace, so that its twenty processes end with the first.
 */
async function runDanted(
  context: TestContext,
  dir: string,
  method: string,
  uri: Omit<ProxyUri, 'address'>,
): Promise<RunningProxy> {
  const [program, port] = [peer('danted', context), await freePort()]
  const namespaces = ['--mount', '--pid', '--fork', '--kill-child', ...(getuid?.() === 0 ? [] : ['--map-root-user'])]
  const possible = spawnSync('unshare', [...namespaces, 'true']).status === 0
  if (!possible) context.skip('danted needs namespaces of its own (unshare --mount --pid)')
  writeFileSync(join(dir, 'conf'), danteConfiguration(port, method))
  const script = `cd "$1"
for file in passwd shadow; do [ ! -e $file ] || mount --bind $file /etc/$file || exit; done
exec "$2" -f conf`
  const child = spawn('unshare', [...namespaces, 'sh', '-c', script, 'sh', dir, program])
  // Its end ends the namespace, and unshare ends once nothing is left in there.
  const first = (): number | undefined =>
    Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')) || child.pid
  return await running(child, { address: { host: '127.0.0.1', port }, ...uri }, first)
}

function danteConfiguration(port: number, method: string): string {
  return `logoutput: stderr
internal: 127.0.0.1 port = ${port}
external: ${PROXY_SOURCE}
clientmethod: none
socksmethod: ${method}
user.privileged: root
user.unprivileged: root
client pass {
  from: 127.0.0.0/8 to: 0.0.0.0/0
}
socks pass {
  from: 127.0.0.0/8 to: 0.0.0.0/0
  command: connect udpassociate
  socksmethod: ${method}
}
socks pass {
  from: 0.0.0.0/0 to: 127.0.0.0/8
  command: udpreply
}
`
}

async function tinyproxy(context: TestContext): Promise<RunningProxy> {
  const [dir, port] = [tempDir(), await freePort()]
  const configuration = `Port ${port}
Listen 127.0.0.1
Bind ${PROXY_SOURCE}
Timeout 60
MaxClients 10
BasicAuth ${USER} ${PLAIN_PASSWORD}
`
  writeFileSync(join(dir, 'conf'), configuration)
  const child = spawn(peer('tinyproxy', context), ['-d', '-c', join(dir, 'conf')])
  return await running(child, {
    protocol: 'http',
    address: { host: '127.0.0.1', port },
    user: USER,
    password: PLAIN_PASSWORD,
  })
}

/** Every proxy with what it is called in test titles, and the hosts by which it reaches the target. */
export const proxies: readonly (readonly [name: string, start: Start, hosts: readonly string[]])[] = [
  ['microsocks', microsocks, ['127.0.0.1', 'localhost']],
  ['microsocks with a password', microsocksWithPassword, ['127.0.0.1', 'localhost']],
  ['danted with a password', danted, ['127.0.0.1', 'localhost']],
  ['danted with SOCKS 4', dantedSocks4, ['127.0.0.1']],
  ['tinyproxy with Basic', tinyproxy, ['127.0.0.1', 'localhost']],
]

async function running(
  child: ChildProcess,
  uri: ProxyUri,
  victim: () => number | undefined = () => child.pid,
): Promise<RunningProxy> {
  let said = ''
  child.stdout?.on('data', (chunk: Buffer) => (said += String(chunk)))
  child.stderr?.on('data', (chunk: Buffer) => (said += String(chunk)))
  const exited = once(child, 'exit')
  const kill = async (): Promise<void> => {
    const pid = child.exitCode === null && child.signalCode === null ? victim() : undefined
    if (pid !== undefined) process.kill(pid, 'SIGKILL')
    await exited
  }
  onTestFinished(kill)
  // None of them says when it listens, so it is asked until it does.
  const ended = (): boolean => child.exitCode !== null || child.signalCode !== null
  await expect.poll(async () => ended() || (await accepts(uri.address.port)), { interval: 10 }).toBe(true)
  if (ended()) throw new Error(`the proxy ended: ${said}`)
  return { uri, kill }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const conn = connect(port, '127.0.0.1')
    const settle = (accepted: boolean): void => {
      conn.destroy()
      resolve(accepted)
    }
    conn.once('connect', () => settle(true)).once('error', () => settle(false))
  })
}
