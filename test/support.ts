/** What tests share: real peers and why one is missing, folders that vanish, free ports. */
import { randomInt } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import type { Duplex } from 'node:stream'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { TestContext } from 'vitest'
import { expect, onTestFinished } from 'vitest'
import { builtFolder, debianFolder } from '../scripts/peers.mjs'
import type { PtError } from '../src/error.ts'
import { readExactly } from '../src/io/read.ts'

/** The project's folder. */
export const root: string = fileURLToPath(new URL('../', import.meta.url))

const BROUGHT = 'npm run peers'
const ARTI = 'npm run peers arti'

/** Programs that others wrote, each with what brings it: a package of the machine's own Debian, or `npm run peers`. */
const peers = {
  lyrebird: BROUGHT,
  'webtunnel-client': BROUGHT,
  'webtunnel-server': BROUGHT,
  ptadapter: BROUGHT,
  'tlslite-server': BROUGHT,
  arti: ARTI,
  bun: BROUGHT,
  deno: BROUGHT,
  tor: 'tor',
  'tor-gencert': 'tor',
  obfs4proxy: 'obfs4proxy',
  'snowflake-client': 'snowflake-client',
  go: 'golang-go golang-goptlib-dev',
  python3: 'python3',
  curl: 'curl',
  ip: 'iproute2',
  strace: 'strace',
  tcpdump: 'tcpdump',
  unshare: 'util-linux',
  setpriv: 'util-linux',
  ncat: 'ncat',
  microsocks: 'microsocks',
  danted: 'dante-server',
  tinyproxy: 'tinyproxy',
  openssl: 'openssl',
  nginx: 'nginx-light',
  haproxy: 'haproxy',
  caddy: 'caddy',
  'gnutls-serv': 'gnutls-bin',
} as const

export type Peer = keyof typeof peers

/** What `npm run peers` brought and what tests build of peers: it is kept, and several checkouts may share it. */
export const peersFolder: string = debianFolder

const builtFolders = ['arti', 'bun', 'deno', 'ptadapter', 'tlslite'].map((name) => join(builtFolder(name), 'bin'))

/**
 * The path of a real peer. If it is not installed the test is skipped and says what brings it; with
 * POSTERN_REQUIRE_PEERS=1 (as in CI) it fails instead.
 */
export function peer(name: Peer, context: TestContext): string {
  const folders = [
    join(peersFolder, 'bin'),
    ...builtFolders,
    ...(process.env['PATH'] ?? '').split(delimiter),
    '/usr/sbin',
    '/sbin',
  ]
  const path = folders.map((folder) => join(folder, name)).find((candidate) => existsSync(candidate))
  if (path !== undefined) return path
  const from = peers[name]
  const reason = `needs ${name} (${from.startsWith('npm run') ? from : `Debian package ${from}`})`
  if (process.env['POSTERN_REQUIRE_PEERS'] === '1') throw new Error(reason)
  return context.skip(reason)
}

/** True in `npm run test:long`, which tries more and takes its time. */
export const long: boolean = process.env['POSTERN_LONG'] !== undefined

/** What tunnels are tried with: our own PT, and with time obfs4proxy too. */
export const tunnelPts: readonly string[] = long ? ['postern', 'obfs4proxy'] : ['postern']

/** An empty folder that is gone when the test has finished. */
export function tempDir(): string {
  const path = mkdtempSync(join(tmpdir(), 'postern-test-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Nobody listens there; unlike a port that was free a moment ago, no test that runs beside this one ever will. */
export const CLOSED_PORT = 1

/** Below what systems give to outgoing connections (32768 on Linux): thousands of those are made beside a test. */
const ports = { first: 10_000, count: 22_000 }
let nextPort = randomInt(ports.count)

/**
 * Resolves after `ms` milliseconds, for a test that shows what happens when a time limit of the program is over. It is no way to
 * wait for anything else: on a busy machine that takes longer, and on an idle one the test takes longer than it has to.
 */
export async function timePasses(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}

/** A port that was free a moment ago, for programs that cannot pick one themselves. Never the same one twice. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (;;) {
    const port = ports.first + (nextPort++ % ports.count)
    const server = createServer()
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen({ port, host, exclusive: true }, () => resolve(true))
    })
    if (!free) continue
    await new Promise((resolve) => server.close(resolve))
    return port
  }
}

/** True while a process with this id runs. One that has ended stays in the list until it is waited for, and does not count. */
export function isAlive(pid: number): boolean {
  try {
    if (process.platform === 'linux') return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** Sends `text`, reads as much again, and ends: what came back. */
export async function echoed(conn: Duplex, text: string): Promise<string> {
  conn.write(text)
  const back = await readExactly(conn, Buffer.byteLength(text))
  conn.end()
  return String(back)
}

/** Its error; anything else is a failed test. */
export async function failureOf(promise: Promise<unknown>): Promise<PtError> {
  const error = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(Error)
  return error as PtError
}

/** Uncaught exceptions from here to the end of the test; they fail no test run. */
export function hearUncaught(): unknown[] {
  const heard: unknown[] = []
  const before = process.listeners('uncaughtException')
  const listen = (error: unknown): void => void heard.push(error)
  process.removeAllListeners('uncaughtException').on('uncaughtException', listen)
  onTestFinished(() => {
    process.off('uncaughtException', listen)
    for (const listener of before) process.on('uncaughtException', listener)
  })
  return heard
}
