/** What a transport that fails does to another tunnel of its process, and what a process of its own saves (decision 0060). */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { openBridge } from '../../src/index.ts'
import { serveEcho } from '../bridges/bridges.ts'
import { tempDir, timePasses } from '../support.ts'

const program = fileURLToPath(new URL('../fixtures/tunnels/two.mjs', import.meta.url))

interface Two {
  readonly child: ChildProcess
  /** A tunnel of a built-in transport. */
  readonly good: string
  /** The port of the transport that fails. */
  readonly bad: number
  /** Resolves when the process says that a PT is started again. */
  readonly restarted: Promise<void>
}

async function startTwo(isolated: boolean): Promise<Two> {
  const args = [program, String(await serveEcho()), tempDir(), isolated ? 'isolated' : 'in process']
  // Little memory, so that it is used up soon.
  const env = { ...process.env, NODE_OPTIONS: '--max-old-space-size=64' }
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'ignore'] })
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    // In process a busy loop hears no other signal. Isolated, the tunnel ends its PT, whatever that does.
    child.kill(isolated ? 'SIGTERM' : 'SIGKILL')
    await exit
  })
  let restart!: () => void
  const restarted = new Promise<void>((resolve) => (restart = resolve))
  const lines: string[] = []
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line === 'restart') restart()
      else if (lines.push(line) === 2) resolve()
    })
    child.once('exit', () => reject(new Error(`it ended after ${lines.length} lines`)))
  })
  return { child, good: lines[0]!, bad: Number(/:(\d+)/.exec(lines[1]!)![1]), restarted }
}

/** What the good tunnel brings back, or `nothing` if it brings nothing within two seconds. */
async function echoOf(line: string): Promise<string> {
  await using bridge = await openBridge(line)
  try {
    const conn = await bridge.connect({ signal: AbortSignal.timeout(2_000) })
    conn.on('error', () => undefined).write('hello')
    const answer = once(conn, 'data', { signal: AbortSignal.timeout(2_000) }) as Promise<[Buffer]>
    return String((await answer)[0])
  } catch {
    return 'nothing'
  }
}

/** Sends the word that says what is to go wrong, and resolves when the connection has closed or `until` has. */
async function fail(port: number, word: string, until: Promise<unknown>): Promise<void> {
  const conn = connect(port, '127.0.0.1').on('error', () => undefined)
  onTestFinished(() => void conn.destroy())
  const closed = new Promise((resolve) => conn.once('close', resolve))
  conn.resume().write(word)
  await Promise.race([closed, until])
}

/** For a busy loop there is nothing to wait for: the word is sent, and the other tunnel is asked. */
const soon = (): Promise<void> => timePasses(300)

test.each([true, false])('a handshake that throws fails its own connection only (isolated: %s)', async (isolated) => {
  const { child, good, bad } = await startTwo(isolated)
  await fail(bad, 'throw', new Promise(() => undefined))
  expect(await echoOf(good)).toBe('hello')
  expect(child.exitCode).toBe(null)
})

test.each(['callback', 'memory'])('%s: in process it ends the process, and the other tunnel with it', async (word) => {
  const { child, bad } = await startTwo(false)
  const exit = once(child, 'exit') as Promise<[number | null, string | null]>
  await fail(bad, word, exit)
  const [status, signal] = await exit
  expect(status === 0 && signal === null).toBe(false)
})

test.each(['callback', 'memory'])('%s: isolated it ends a process that is started again', async (word) => {
  const { child, good, bad, restarted } = await startTwo(true)
  await fail(bad, word, restarted)
  await restarted
  expect(await echoOf(good)).toBe('hello')
  expect(child.exitCode).toBe(null)
})

test.each([
  [false, 'nothing'],
  [true, 'hello'],
])('a busy loop (isolated: %s): the other tunnel answers %j', async (isolated, answer) => {
  const { good, bad } = await startTwo(isolated)
  expect(await echoOf(good)).toBe('hello')
  await fail(bad, 'loop', soon())
  expect(await echoOf(good)).toBe(answer)
})
