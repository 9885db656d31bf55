// The processes of a run: a clean environment, one core or all, and none that outlives the run. A run that is killed takes
// them with it too: `loadgen exec` ties each to this process.
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'

const PATIENCE_MS = 10_000
/** How long a child has to end, each time it is told. */
const GRACE_MS = 2_000
const STDERR_KEPT = 4_000

const running = new Set()
const folders = new Set()

process.on('exit', () => {
  for (const child of running) child.process.kill('SIGKILL')
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
})

/** A signal ends this process as an exit does, with all that it started. */
export function exitOnSignals() {
  for (const [signal, number] of Object.entries({ SIGHUP: 1, SIGINT: 2, SIGTERM: 15 })) {
    process.once(signal, () => process.exit(128 + number))
  }
}

/** An empty folder that is gone with the run at the latest. */
export function makeFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'postern-bench-'))
  folders.add(folder)
  return folder
}

/** @param {string} folder */
export function removeFolder(folder) {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  folders.delete(folder)
}

/**
 * A child's whole environment. Nothing else is handed on: with NODE_EXTRA_CA_CERTS alone Node starts 40 ms later. The
 * running Node comes first in PATH, so that a script's `#!/usr/bin/env node` means it.
 * @param {Record<string, string>} [variables]
 */
export function cleanEnvironment(variables = {}) {
  const { PATH = '', HOME = '/' } = process.env
  return { PATH: `${dirname(process.execPath)}${delimiter}${PATH}`, HOME, ...variables }
}

/** The most files that a child may have open: the hard limit of this process. Infinity where there is none. */
export function fileLimit() {
  const text = spawnSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).stdout.trim()
  return /^\d+$/.test(text) ? Number(text) : Infinity
}

/**
 * @typedef {object} Child
 * @property {import('node:child_process').ChildProcessWithoutNullStreams} process
 * @property {string} stderr its last words
 * @property {Promise<number | null>} ended resolves to the exit status; null after a signal
 */

/**
 * Starts `command` through `loadgen exec`.
 * @param {string} loadgen
 * @param {readonly string[]} command
 * @param {{ cpu?: number | undefined, files?: number, env?: Record<string, string> }} [options] cpu: the core it is
 *   pinned to; undefined: all. files: what RLIMIT_NOFILE is raised to, as far as the hard limit allows
 * @returns {Child}
 */
export function launch(loadgen, command, { cpu = -1, files = 0, env = {} } = {}) {
  const args = ['exec', '--cpu', String(cpu), '--files', String(files), '--', ...command]
  const child = { process: spawn(loadgen, args, { env: cleanEnvironment(env) }), stderr: '' }
  running.add(child)
  child.process.stdin.on('error', () => undefined) // it may have ended
  child.process.stderr.setEncoding('utf8').on('data', (text) => {
    child.stderr = (child.stderr + text).slice(-STDERR_KEPT)
  })
  child.ended = new Promise((resolve, reject) => {
    child.process.once('error', reject)
    child.process.once('close', resolve)
  }).finally(() => running.delete(child))
  child.ended.catch(() => undefined) // told to whoever asks
  return child
}

/**
 * Reads lines from the child's stdout until `isLast`; what comes later is read and dropped, so that it never blocks.
 * Rejects where the child ends before, or nothing comes for 10 s.
 * @param {Child} child
 * @param {(line: string) => boolean} isLast
 * @param {number} [ms]
 * @returns {Promise<string[]>}
 */
export async function readLines(child, isLast, ms = PATIENCE_MS) {
  const lines = []
  let rest = ''
  let timer
  child.process.stdout.setEncoding('utf8')
  const read = new Promise((resolve, reject) => {
    const complain = (what) => reject(new Error(`${what}; it said: ${[...lines, child.stderr].join(' | ')}`))
    timer = setTimeout(() => complain(`a child did not come up within ${ms / 1000} s`), ms)
    const onData = (text) => {
      const parts = (rest + text).split('\n')
      rest = parts.pop()
      for (const line of parts) {
        lines.push(line)
        if (!isLast(line)) continue
        child.process.stdout.off('data', onData).resume()
        resolve(lines)
        return
      }
    }
    child.process.stdout.on('data', onData)
    child.ended.then((status) => complain(`a child ended with ${status}`), reject)
  })
  return await read.finally(() => clearTimeout(timer))
}

/**
 * Ends a child: its stdin is closed, then SIGTERM, then SIGKILL.
 * @param {Child} child
 * @param {number} [ms] how long it has each time
 */
export async function stop(child, ms = GRACE_MS) {
  child.process.stdin.end()
  if (await endsWithin(child, ms)) return
  child.process.kill('SIGTERM')
  if (await endsWithin(child, ms)) return
  child.process.kill('SIGKILL')
  await endsWithin(child, GRACE_MS)
}

async function endsWithin(child, ms) {
  let timer
  const timeout = new Promise((resolve) => {
    timer = setTimeout(resolve, ms, false)
  })
  const ended = child.ended.then(
    () => true,
    () => true,
  )
  return await Promise.race([ended, timeout]).finally(() => clearTimeout(timer))
}
