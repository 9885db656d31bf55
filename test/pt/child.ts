/** The real executable as a sub-process, driven by what a parent has: environment, pipes, signals. */
import type { ChildProcess, StdioOptions } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { onTestFinished } from 'vitest'
import type { Environment } from '../../src/ipc/index.ts'
import { root, tempDir } from '../support.ts'

export const executable = `${root}dist/cli/main.js`
export const rotByN = `${root}dist/examples/rot-by-n.js`
export const noisy = `${root}test/fixtures/transports/noisy.mjs`

export interface PtProcess {
  readonly child: ChildProcess
  /** Everything that came on stdout, and on stderr. */
  readonly stdout: () => string
  readonly stderr: () => string
  readonly lines: () => string[]
  /** Resolves with the first line that starts so; rejects where stdout ends without. */
  readonly line: (start: string) => Promise<string>
  /** Resolves with the exit status, or the signal's name. */
  readonly exit: Promise<number | string>
}

export interface ChildOptions {
  readonly args?: readonly string[]
  readonly env?: Environment
  readonly stdio?: StdioOptions
  /** In place of node and its arguments. */
  readonly command?: readonly [string, ...string[]]
}

/** Runs `postern pt --load rot-by-n.js` with nothing in its environment but `env`, and kills what is left of it in the end. */
export function runChild(options: ChildOptions = {}): PtProcess {
  const { args = ['pt', '--load', rotByN], env = {}, stdio = 'pipe' } = options
  const [command, ...words] = options.command ?? [process.execPath, executable, ...args]
  const child = spawn(command, words, { env, stdio })
  const exit = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string)
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exit
  })
  const out = collect(child.stdout)
  const err = collect(child.stderr)
  const lines = (): string[] => out.text().split('\n').slice(0, -1)
  const line = async (start: string): Promise<string> => {
    for (;;) {
      const found = lines().find((one) => one.startsWith(start))
      if (found !== undefined) return found
      if (out.ended()) throw new Error(`no ${start} in ${out.text()}; stderr: ${err.text()}`)
      await out.more()
    }
  }
  // 'exit' comes before the last bytes of the pipes do.
  const closed = once(child, 'close')
  return {
    child,
    stdout: out.text,
    stderr: err.text,
    lines,
    line,
    exit: exit.then((status) => closed.then(() => status)),
  }
}

interface Collected {
  readonly text: () => string
  readonly ended: () => boolean
  readonly more: () => Promise<void>
}

function collect(stream: Readable | null): Collected {
  let text = ''
  let ended = stream === null
  let wake: () => void = () => undefined
  stream?.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
    wake()
  })
  stream?.once('close', () => {
    ended = true
    wake()
  })
  return { text: () => text, ended: () => ended, more: () => new Promise((resolve) => (wake = resolve)) }
}

/** A program of three lines that runs rot_by_N with these options of runPt. */
export function program(options: string): readonly [string, ...string[]] {
  const source = `
    import { runPt } from ${JSON.stringify(`file://${root}dist/pt/index.js`)}
    import { rotByN } from ${JSON.stringify(`file://${rotByN}`)}
    await runPt({ transports: [rotByN], ${options} })`
  return [process.execPath, '--input-type=module', '-e', source]
}

const version = { TOR_PT_MANAGED_TRANSPORT_VER: '1' }

export function clientEnv(more: Environment = {}): Environment {
  return { ...version, TOR_PT_STATE_LOCATION: tempDir(), TOR_PT_CLIENT_TRANSPORTS: 'rot_by_N', ...more }
}

export function serverEnv(more: Environment = {}): Environment {
  return {
    ...version,
    TOR_PT_STATE_LOCATION: tempDir(),
    TOR_PT_SERVER_TRANSPORTS: 'rot_by_N',
    TOR_PT_SERVER_BINDADDR: 'rot_by_N-127.0.0.1:0',
    TOR_PT_ORPORT: '127.0.0.1:1',
    ...more,
  }
}

/** The port in a CMETHOD or SMETHOD line. */
export function portIn(line: string): number {
  return Number(/:(\d+)(?: ARGS:.*)?$/.exec(line)![1])
}

/** What a process holds: sockets, and resident memory in MiB. Linux only. */
export function usageOf(pid: number): { sockets: number; rss: number } {
  const folder = `/proc/${pid}/fd`
  const links = readdirSync(folder).map((fd) => linkOf(`${folder}/${fd}`))
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return { sockets: links.filter((link) => link.startsWith('socket:')).length, rss: Number(kib![1]) / 1024 }
}

/** Empty where it was closed between the listing and now. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
