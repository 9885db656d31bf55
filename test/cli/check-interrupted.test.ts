import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import { root, tempDir } from '../support.ts'

const main = `${root}dist/cli/main.js`
const parent = [process.execPath, `${root}test/fixtures/mutants/parent.mjs`, 'client', '{pt}', '{dir}']

/** A check in the middle of its probes, whose folders are in `dir`. */
async function checking(dir: string, subject: string, command: readonly string[]): Promise<ChildProcess> {
  const env = { ...process.env, TMPDIR: dir }
  const args = [main, 'check', subject, '--', ...command]
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  // The first folders are of what finds out which roles there are.
  const seen = new Set<string>()
  const count = (): number => {
    for (const name of readdirSync(dir)) seen.add(name)
    return child.exitCode === null ? seen.size : Infinity
  }
  await expect.poll(count, { interval: 5 }).toBeGreaterThanOrEqual(5)
  expect(child.exitCode, 'the check has ended').toBe(null)
  return child
}

/** Processes that are at home below `dir`. */
function processesIn(dir: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/cwd`).startsWith(dir)
    } catch {
      return false
    }
  })
}

test.for([
  ['SIGINT', 130, 'pt', [process.execPath, main, 'pt']],
  ['SIGTERM', 143, 'parent', parent],
] as const)(
  '%s during a check: status %i, and no process and no file of "check %s" is left',
  { timeout: 60_000 },
  async ([signal, status, subject, command]) => {
    const dir = tempDir()
    const child = await checking(dir, subject, command)
    let said = ''
    child.stderr!.on('data', (chunk: Buffer) => (said += chunk.toString()))
    const gone = once(child, 'close')
    child.kill(signal)
    // As npm and timeout do, which pass on what everybody has got.
    child.kill(signal)
    await gone
    expect([child.exitCode, said]).toEqual([status, 'postern: interrupted; nothing is left behind\n'])
    expect(readdirSync(dir)).toEqual([])
    // What a killed parent has launched sees that by itself.
    await expect.poll(() => processesIn(dir), { timeout: 5_000 }).toEqual([])
  },
)
