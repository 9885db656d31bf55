/** `postern` as built, run by tests: its events as JSON, and its end by signal. */
import type { ChildProcess, StdioOptions } from 'node:child_process'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'
import { root } from '../support.ts'

const main = `${root}dist/cli/main.js`

interface Event {
  readonly event: string
  readonly tunnel?: string
  readonly [field: string]: unknown
}

export interface Running {
  readonly pid: number
  readonly events: readonly Event[]
  /** The first event, past or to come, that fits. Rejects where the program ends without it. */
  next(fits: (event: Event) => boolean): Promise<Event>
  signal(name: NodeJS.Signals): void
  /** Resolves when it has ended by itself. */
  ended(): Promise<{ status: number | null; stderr: string }>
  /** Ends it by SIGTERM where it still runs. */
  stop(): Promise<{ status: number | null; stderr: string }>
}

/** Starts a command with --json; it is ended with the test. */
export function start(...args: string[]): Running {
  return watch(spawn(process.execPath, [main, ...args, '--json'], { stdio: ['ignore', 'pipe', 'pipe'] }))
}

/** As `start`, under flags of Node. */
export function startUnder(flags: readonly string[], ...args: string[]): Running {
  return watch(spawn(process.execPath, [...flags, main, ...args, '--json'], { stdio: ['ignore', 'pipe', 'pipe'] }))
}

/** As `start`, at the head of a process group of its own, as a shell starts it: signals go to all of the group. */
export function startAsJob(...args: string[]): Running {
  const stdio: StdioOptions = ['ignore', 'pipe', 'pipe']
  const child = spawn(process.execPath, [main, ...args, '--json'], { stdio, detached: true })
  return { ...watch(child), signal: (name) => void process.kill(-child.pid!, name) }
}

function watch(child: ChildProcess): Running {
  const events: Event[] = []
  const waiting = new Set<() => void>()
  let stderr = ''
  const lines = createInterface({ input: child.stdout! }).on('line', (line) => {
    events.push(JSON.parse(line) as Event)
    for (const look of waiting) look()
  })
  child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const ended = Promise.all([once(child, 'close'), once(lines, 'close')]).then(() => {
    for (const look of waiting) look()
  })
  const next = (fits: (event: Event) => boolean): Promise<Event> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = events.find(fits)
        const over = child.exitCode !== null || child.signalCode !== null
        if (found === undefined && !over) return
        waiting.delete(look)
        if (found === undefined) reject(new Error(`ended with ${child.exitCode} before the event: ${stderr}`))
        else resolve(found)
      }
      waiting.add(look)
      look()
    })
  const outcome = async (): Promise<{ status: number | null; stderr: string }> => {
    await ended
    return { status: child.exitCode, stderr }
  }
  const stop = async (): Promise<{ status: number | null; stderr: string }> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
    return await outcome()
  }
  onTestFinished(async () => void (await stop()))
  return { pid: child.pid!, events, next, signal: (name) => void child.kill(name), ended: outcome, stop }
}

/** The event `ready` of a tunnel: where it listens, or its bridge line, which is read from the file that the event names. */
export async function ready(running: Running, tunnel: string): Promise<{ listen: string; bridgeLine: string }> {
  const event = await running.next((one) => one.event === 'ready' && one.tunnel === tunnel)
  const { listen, bridgeLineFile } = event as { listen?: string; bridgeLineFile?: string }
  const bridgeLine = bridgeLineFile === undefined ? '' : readFileSync(bridgeLineFile, 'utf8').trimEnd()
  return { listen: listen ?? '', bridgeLine }
}

/** Runs a command to its end. */
export function postern(
  args: readonly string[],
  env: Record<string, string | undefined> = {},
  options: { readonly cwd?: string; readonly uid?: number } = {},
): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [main, ...args], {
    env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', ...env },
    encoding: 'utf8',
    timeout: 60_000,
    ...options,
  })
}
