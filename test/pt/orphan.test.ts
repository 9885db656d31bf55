/** STOP-4 in the time before Node runs the first line of a PT: the parent of these PTs dies before that, or only seems to. */
import type { ChildProcess, StdioOptions } from 'node:child_process'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { isAlive, tempDir, timePasses } from '../support.ts'
import { clientEnv, executable, rotByN } from './child.ts'

const pt = `${process.execPath} ${executable} pt --load ${rotByN}`

/** A shell that runs `script`, as the leader of a session; all of its process group is killed in the end. */
function shell(script: string, stdio: StdioOptions): ChildProcess {
  const child = spawn('/bin/sh', ['-c', script], {
    env: clientEnv({ PATH: process.env['PATH'] }),
    stdio,
    detached: true,
  })
  onTestFinished(() => {
    try {
      process.kill(-child.pid!, 'SIGKILL')
    } catch {
      // Nobody is left.
    }
  })
  return child
}

/** The process id that a script has written to `file`. */
async function pidIn(file: string): Promise<number> {
  const read = (): string => readFileSync(file, { encoding: 'utf8', flag: 'a+' })
  await expect.poll(read).toMatch(/^\d+\n$/)
  return Number(read())
}

/** A parent that ends first, and then its child becomes a PT: `exec` keeps the process id. */
async function orphan(
  stdout: string,
  stdio: StdioOptions,
  prefix = '',
): Promise<{ pid: number; hangUp: () => void; release: () => void }> {
  const folder = tempDir()
  const [file, go, stdin] = ['pid', 'go', 'stdin'].map((name) => join(folder, name)) as [string, string, string]
  // The pipe of a child's stdin is closed when the child has ended; a FIFO that is open for both stays open.
  expect(spawnSync('mkfifo', [go, stdin]).status).toBe(0)
  const waiting = `sh -c 'echo $PPID' > ${file}; read go < ${go}`
  const script = `exec 3<>${stdin}; (${waiting}; exec ${prefix}${pt} <&3 ${stdout}) & `
  const parent = shell(script, stdio)
  await once(parent, 'exit')
  return {
    pid: await pidIn(file),
    hangUp: () => void parent.stdout!.destroy(),
    release: () => writeFileSync(go, 'go\n'),
  }
}

test.runIf(process.platform === 'linux')(
  'STOP-4: a PT whose parent died before its first line ends, though its stdin stays open and its stdout is /dev/null',
  async () => {
    const { pid, release } = await orphan('> /dev/null 2>&1', ['pipe', 'ignore', 'ignore'])
    expect(isAlive(pid)).toBe(true)
    release()
    await expect.poll(() => isAlive(pid)).toBe(false)
  },
)

test.runIf(process.platform === 'linux')(
  'STOP-4: also one in a session of its own, if nobody reads its stdout any more',
  async () => {
    const { pid, hangUp, release } = await orphan('', ['pipe', 'pipe', 'ignore'], 'setsid ')
    hangUp()
    expect(isAlive(pid)).toBe(true)
    release()
    await expect.poll(() => isAlive(pid)).toBe(false)
  },
)

/** Twice as long as a PT waits until it looks for its parent again. */
const TWO_LOOKS = 1_100

test('STOP-4: a PT in a session of its own lives, as its parent does', async () => {
  const file = join(tempDir(), 'pid')
  const parent = shell(`echo $$ > ${file}; exec ${pt}`, ['pipe', 'pipe', 'ignore'])
  const said = once(parent.stdout!.resume(), 'data')
  const pid = await pidIn(file)
  await said
  await timePasses(TWO_LOOKS)
  expect(isAlive(pid)).toBe(true)
})

test.each([
  ['reads its stdout', 'cat'],
  ['has closed its stdout', 'head -n 4'],
])('STOP-4: a PT whose parent is process 1, as in a container, lives, if the parent %s', async (_, reader) => {
  const unshare = ['--pid', '--fork', '--mount-proc']
  if (spawnSync('unshare', [...unshare, 'true']).status !== 0) return
  const folder = tempDir()
  const inside = `mkfifo ${folder}/out; ${pt} > ${folder}/out & ${reader} < ${folder}/out > ${folder}/lines; echo read >> ${folder}/lines; wait`
  const outside = shell(`exec unshare ${unshare.join(' ')} sh -c '${inside}'`, ['pipe', 'ignore', 'ignore'])
  const lines = (): string => readFileSync(`${folder}/lines`, { encoding: 'utf8', flag: 'a+' })
  await expect.poll(lines).toContain('CMETHODS DONE')
  await timePasses(TWO_LOOKS)
  // The shell ends with its last child.
  expect(isAlive(outside.pid!)).toBe(true)
  const children = readFileSync(`/proc/${outside.pid}/task/${outside.pid}/children`, 'utf8').trim()
  expect(children).not.toBe('')
  process.kill(Number(children), 'SIGKILL')
  await once(outside, 'exit')
})
