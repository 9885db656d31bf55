/** A machine that is too busy: what a program could not do for want of a CPU is no fault of its own. */
import { spawn } from 'node:child_process'
import { platform } from 'node:os'
import { checkPt } from 'postern/check'
import { expect, onTestFinished, test } from 'vitest'
import { tinyPt } from './support.ts'

/** On the first CPU, to which the program under test is bound as well. */
const bound = ['taskset', '--cpu-list', '0'] as const

function hog(): void {
  const [taskset, ...where] = bound
  const child = spawn(taskset, [...where, process.execPath, '-e', 'for (;;);'], { stdio: 'ignore' })
  onTestFinished(() => void child.kill('SIGKILL'))
}

test.skipIf(platform() !== 'linux')(
  'a PT that gets no CPU is broken in nothing: could not tell, where its time was not enough',
  { timeout: 300_000 },
  async () => {
    hog()
    hog()
    // SCHED_IDLE runs only what nobody else wants, so the PT does not even start in the time that it is given.
    const exec = [...bound, 'chrt', '--idle', '0', ...tinyPt()]
    const only = ['CM-3', 'VER-2', 'ERR-2', 'STOP-3', 'FLOW-5']
    const { results } = await checkPt({ exec, roles: ['client'], transport: 'tiny', patience: 2_000, only })
    expect(results.filter(({ verdict }) => verdict === 'broken')).toEqual([])
    expect(results.map(({ verdict }) => verdict)).toContain('unknown')
  },
)

test(
  'a mutant is caught where its breach is that something does not come, as it had all its time',
  { timeout: 120_000 },
  async () => {
    const options = { roles: ['client'], transport: 'tiny', patience: 2_000, only: ['CM-3'] } as const
    const { results } = await checkPt({ ...options, exec: tinyPt('done-missing') })
    expect(results.map(({ id, verdict }) => [id, verdict])).toEqual([['CM-3', 'broken']])
  },
)
