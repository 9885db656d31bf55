import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { ClientPt, ExitStatus } from 'postern/parent'
import { launchClient } from 'postern/parent'
import { describe, expect, test } from 'vitest'
import { isAlive, peer, root, tempDir } from '../support.ts'
import { Events, fixture, sayClient, wrapped } from './fixtures.ts'
import { shows } from '../shows.ts'

const ready = sayClient(1)

/** The user and the group of Debian's `nobody`. */
const NOBODY = 65_534

describe('STOP-1: the ladder goes as far as it has to', () => {
  // A step that has to do it gets all the time that a busy machine may take.
  test.each<[string, string[], object, number]>([
    ['stdin closed', fixture('say', ...ready), { code: 0, signal: null, step: 'stdin' }, 15_000],
    ['SIGTERM', fixture('stubborn', 'yield'), { code: 7, signal: null, step: 'SIGTERM' }, 3_000],
    ['SIGKILL', fixture('stubborn'), { code: null, signal: 'SIGKILL', step: 'SIGKILL' }, 300],
  ])('%s', async (_, exec, status, stopTimeout) => {
    const events = new Events()
    const options = { exec, transports: ['a'], stateDir: tempDir(), stopTimeout, onEvent: events.onEvent }
    const pt = await launchClient(options)
    const stopped = pt.stop()
    expect(pt.stop()).toBe(stopped)
    expect(await stopped).toEqual(status)
    expect(await pt.stop()).toEqual(status)
    expect(isAlive(events.pid)).toBe(false)
    shows('STOP-1')
    expect(events.all.slice(-2).map(({ type }) => type)).toEqual(['exit', 'stopped'])
    expect(events.of('restarting')).toEqual([])
  })

  test('each step waits its time', async () => {
    const options = { exec: fixture('stubborn'), transports: ['a'], stateDir: tempDir(), stopTimeout: 300 }
    const pt = await launchClient(options)
    const start = performance.now()
    await pt.stop()
    expect(performance.now() - start).toBeGreaterThan(590)
  })
})

describe('STOP-1: a PT behind a wrapper script ends with the script', () => {
  async function launchWrapped(
    exec: string[],
    stopTimeout: number,
    options: object = {},
  ): Promise<{ pt: ClientPt; events: Events }> {
    const events = new Events()
    const pt = await launchClient({
      exec,
      transports: ['a'],
      stateDir: tempDir(),
      stopTimeout,
      onEvent: events.onEvent,
      ...options,
    })
    expect(isAlive(events.wrappedPid)).toBe(true)
    return { pt, events }
  }

  test('one that obeys SIGTERM gets it, though the script has ended of the same signal', async () => {
    const { pt, events } = await launchWrapped(wrapped('stubborn', 'yield'), 1_000)
    expect(await pt.stop()).toEqual({ code: null, signal: 'SIGTERM', step: 'SIGTERM' })
    expect(isAlive(events.wrappedPid)).toBe(false)
  })

  test('one that obeys nothing is killed', async () => {
    const { pt, events } = await launchWrapped(wrapped('stubborn'), 300)
    expect(await pt.stop()).toEqual({ code: null, signal: 'SIGTERM', step: 'SIGKILL' })
    expect(isAlive(events.wrappedPid)).toBe(false)
  })

  test('also if the script ends as soon as its stdin closes', async () => {
    const script = '"$@" & echo "LOG SEVERITY=info MESSAGE=$!"; read line'
    const { pt, events } = await launchWrapped(['/bin/sh', '-c', script, 'sh', ...fixture('stubborn', 'yield')], 1_000)
    expect(await pt.stop()).toMatchObject({ step: 'SIGTERM' })
    expect(isAlive(events.wrappedPid)).toBe(false)
  })

  test('also if the script is killed by somebody else: what is left would hold the port of a server', async () => {
    const { events } = await launchWrapped(wrapped('stubborn'), 300, { restart: false })
    const gaveUp = events.next('gaveUp')
    process.kill(events.pid, 'SIGKILL')
    await gaveUp
    await expect.poll(() => isAlive(events.wrappedPid)).toBe(false)
  })

  test('PT_PROTOCOL: also if it does not confirm the proxy, and so may go around it', async () => {
    const events = new Events()
    const launched = launchClient({
      exec: wrapped('stubborn'),
      transports: ['a'],
      stateDir: tempDir(),
      proxy: 'socks5://127.0.0.1:9',
      onEvent: events.onEvent,
    })
    await expect(launched).rejects.toMatchObject({ code: 'PT_PROTOCOL', exit: { signal: 'SIGKILL' } })
    expect(isAlive(events.wrappedPid)).toBe(false)
  })
})

describe('stop() settles and leaves nothing, however soon after a restart it is called', () => {
  test.each([0, 1, 2, 3, 4, 5, 6, 8, 12])('%i microtasks after the new life is ready', async (microtasks) => {
    const events = new Events()
    let stopped: Promise<ExitStatus> | undefined
    const pt = await launchClient({
      exec: fixture('lives', ready.join(';'), ready.join(';')),
      transports: ['a'],
      stateDir: tempDir(),
      restart: { initialDelay: 1 },
      onEvent: (event) => {
        events.onEvent(event)
        if (event.type === 'ready' && events.of('ready').length === 2) void stopAfter(microtasks)
      },
    })
    const stopAfter = async (turns: number): Promise<void> => {
      for (let turn = 0; turn < turns; turn++) await Promise.resolve()
      stopped = pt.stop()
    }
    const again = events.next('ready')
    process.kill(events.pid, 'SIGKILL')
    await again
    await expect.poll(() => stopped).toBeDefined()
    expect(await stopped).toEqual({ code: 0, signal: null, step: 'stdin' })
    expect(events.of('launching').length).toBe(2)
    for (const { pid } of events.of('launching')) expect(isAlive(pid)).toBe(false)
  })
})

test.runIf(process.platform === 'linux')(
  'PT_UNSTOPPABLE: a program that runs as another user cannot be ended; stop() says so, and the parent can end',
  (context) => {
    if (process.getuid?.() !== 0) context.skip('needs root, to start a program as another user')
    const setpriv = peer('setpriv', context)
    const folder = tempDir()
    chmodSync(folder, 0o755)
    // A program of root with the set-user-ID bit: the parent, which is nobody, may not send a signal to what it becomes.
    const asRoot = join(folder, 'as-root')
    copyFileSync(setpriv, asRoot)
    chmodSync(asRoot, 0o4755)
    const stateDir = join(folder, 'state')
    mkdirSync(stateDir)
    chownSync(stateDir, NOBODY, NOBODY)
    const exec = [asRoot, '--reuid', '0', '--clear-groups', ...fixture('stubborn')]
    const program = `
      import { launchClient } from ${JSON.stringify(`file://${root}dist/parent/index.js`)}
      const told = []
      const onEvent = ({ type, pid, error }) => type === 'unstoppable' && told.push({ pid, code: error.code })
      const options = { transports: ['a'], stateDir: ${JSON.stringify(stateDir)}, stopTimeout: 100, onEvent }
      const pt = await launchClient({ exec: ${JSON.stringify(exec)}, ...options })
      console.log(JSON.stringify({ status: await pt.stop(), told }))`
    const asNobody = ['--reuid', `${NOBODY}`, '--regid', `${NOBODY}`, '--clear-groups', process.execPath]
    const run = spawnSync(setpriv, [...asNobody, '--input-type=module', '-e', program], {
      encoding: 'utf8',
      timeout: 30_000,
    })
    const { status, told } = JSON.parse(run.stdout || run.stderr) as { status: ExitStatus; told: { pid: number }[] }
    for (const { pid } of told) {
      expect(isAlive(pid)).toBe(true)
      process.kill(pid, 'SIGKILL')
    }
    expect(status).toEqual({ code: null, signal: null, step: 'none' })
    expect(told).toEqual([{ pid: expect.any(Number), code: 'PT_UNSTOPPABLE' }])
    expect(run.status).toBe(0)
  },
)

test('leaving an `await using` scope stops the PT', async () => {
  const events = new Events()
  {
    await using pt = await launchClient({
      exec: fixture('say', ...ready),
      transports: ['a'],
      stateDir: tempDir(),
      onEvent: events.onEvent,
    })
    expect(pt.methods.size).toBe(1)
  }
  expect(isAlive(events.pid)).toBe(false)
})

test('an aborted signal stops the PT', async () => {
  const events = new Events()
  const controller = new AbortController()
  const stopped = events.next('stopped')
  const options = { exec: fixture('say', ...ready), transports: ['a'], stateDir: tempDir(), onEvent: events.onEvent }
  const pt = await launchClient({ ...options, signal: controller.signal })
  controller.abort()
  expect(await stopped).toMatchObject({ code: 0 })
  expect(isAlive(events.pid)).toBe(false)
  await expect(pt.connect('a', '192.0.2.1:1')).rejects.toMatchObject({ code: 'PT_STOPPED' })
})

test('a PT that was stopped while it waited for its restart is gone', async () => {
  const events = new Events()
  const restarting = events.next('restarting')
  const restart = { initialDelay: 60_000, maxDelay: 60_000 }
  const options = {
    exec: fixture('say', ...ready),
    transports: ['a'],
    stateDir: tempDir(),
    onEvent: events.onEvent,
    restart,
  }
  const pt = await launchClient(options)
  process.kill(events.pid, 'SIGKILL')
  await restarting
  expect(await pt.stop()).toEqual({ code: null, signal: 'SIGKILL', step: 'exited' })
  expect(events.of('launching').length).toBe(1)
})

test('a PT that was stopped while it was launched again is gone', async () => {
  const events = new Events()
  const exec = fixture('lives', ready.join(';'), 'VERSION 1')
  const options = {
    exec,
    transports: ['a'],
    stateDir: tempDir(),
    onEvent: events.onEvent,
    restart: { initialDelay: 1 },
  }
  const pt = await launchClient(options)
  const again = events.next('launching')
  process.kill(events.pid, 'SIGKILL')
  await again
  await pt.stop()
  expect(events.of('launching').length).toBe(2)
  for (const { pid } of events.of('launching')) expect(isAlive(pid)).toBe(false)
})

test('a fault in mid-run ends the PT with its reason', async () => {
  const events = new Events()
  const gaveUp = events.next('gaveUp')
  const exec = fixture('endless', ...ready)
  await using pt = await launchClient({
    exec,
    transports: ['a'],
    stateDir: tempDir(),
    onEvent: events.onEvent,
    restart: false,
  })
  const { error } = await gaveUp
  expect(error).toMatchObject({ code: 'PT_LINE_TOO_LONG', exit: { signal: 'SIGKILL' } })
  await expect(pt.connect('a', '192.0.2.1:1')).rejects.toBe(error)
})

test('STOP-1: a parent that is killed leaves no PT, as its end closes the stdin', async () => {
  const stateDir = tempDir()
  const args = [join(root, 'test/fixtures/parent.mjs'), stateDir, ...fixture('farewell', ...ready)]
  const parent = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(parent.stdout, 'data')
  expect(existsSync(join(stateDir, 'farewell'))).toBe(false)
  parent.kill('SIGKILL')
  await expect.poll(() => existsSync(join(stateDir, 'farewell')), { timeout: 15_000 }).toBe(true)
})
