import type { ClientPt, LaunchClientOptions } from 'postern/parent'
import { launchClient } from 'postern/parent'
import { acceptSocks } from 'postern/socks'
import { describe, expect, onTestFinished, test } from 'vitest'
import { CLOSED_PORT, tempDir } from '../support.ts'
import { echoed, Events, fixture, sayClient, serve, serveSocks } from './fixtures.ts'

describe('a PT that dies is started again', () => {
  const gone = (port: number): string => sayClient(port).join(';')

  async function launchLives(
    lives: string[],
    options: Partial<LaunchClientOptions> = {},
  ): Promise<{ pt: ClientPt; events: Events }> {
    const events = new Events()
    const exec = fixture('lives', ...lives)
    const restart = { initialDelay: 10 }
    const pt = await launchClient({
      exec,
      transports: ['a'],
      stateDir: tempDir(),
      onEvent: events.onEvent,
      restart,
      ...options,
    })
    onTestFinished(async () => void (await pt.stop()))
    return { pt, events }
  }

  test('and a connect in the meantime waits for it and finds its new port', async () => {
    const port = await serveSocks()
    const { pt, events } = await launchLives([gone(CLOSED_PORT), gone(port)])
    process.kill(events.pid, 'SIGKILL')
    // The old port refuses, and the parent has not heard of the death yet.
    const conn = await pt.connect('a', '192.0.2.1:1')
    expect(await echoed(conn, 'again')).toBe('again')
    expect(pt.methods.get('a')?.address.port).toBe(port)
    expect(events.of('exit')).toEqual([{ type: 'exit', code: null, signal: 'SIGKILL' }])
    expect(events.of('restarting')).toMatchObject([{ attempt: 1, error: { code: 'PT_EXITED' } }])
    expect(events.of('ready').length).toBe(2)
  })

  test('and so does one that a dying PT accepted but never answered', async () => {
    const port = await serveSocks()
    const dying = await serve((conn) => {
      process.kill(events.pid, 'SIGKILL')
      conn.destroy()
    })
    const { pt, events } = await launchLives([gone(dying), gone(port)])
    const conn = await pt.connect('a', '192.0.2.1:1')
    expect(await echoed(conn, 'again')).toBe('again')
  })

  test('PT_CLOSED: but a request that the PT died of is not repeated', async () => {
    let requests = 0
    const port = await serve((conn) => {
      void acceptSocks(conn).then(() => {
        requests++
        process.kill(events.pid, 'SIGKILL')
        conn.destroy()
      })
    })
    const { pt, events } = await launchLives([gone(port), gone(port)])
    const ready = events.next('ready')
    await expect(pt.connect('a', '192.0.2.1:1')).rejects.toMatchObject({ code: 'PT_CLOSED' })
    await ready
    expect(requests).toBe(1)
  })

  test('PT_TIMEOUT: a connect waits no longer than its time', async () => {
    const { pt, events } = await launchLives([gone(1)], {
      connectTimeout: 100,
      restart: { initialDelay: 60_000, maxDelay: 60_000 },
    })
    const restarting = events.next('restarting')
    process.kill(events.pid, 'SIGKILL')
    await restarting
    await expect(pt.connect('a', '192.0.2.1:1')).rejects.toMatchObject({ code: 'PT_TIMEOUT' })
  })

  test('PT_STOPPED: a connect that waits for the restart of a PT that is then stopped', async () => {
    const { pt, events } = await launchLives([gone(1)], { restart: { initialDelay: 60_000, maxDelay: 60_000 } })
    const restarting = events.next('restarting')
    process.kill(events.pid, 'SIGKILL')
    await restarting
    const waiting = expect(pt.connect('a', '192.0.2.1:1')).rejects.toMatchObject({ code: 'PT_STOPPED' })
    await pt.stop()
    await waiting
  })

  test('PT_CRASH_LOOP: but not for ever, and who waits is told', async () => {
    const { pt, events } = await launchLives([gone(1)], { restart: { initialDelay: 10, maxRestarts: 2 } })
    const restarting = events.next('restarting')
    process.kill(events.pid, 'SIGKILL')
    await restarting
    await expect(pt.connect('a', '192.0.2.1:1')).rejects.toMatchObject({
      code: 'PT_CRASH_LOOP',
      cause: { code: 'PT_EXITED' },
    })
    await expect(pt.connect('a', '192.0.2.1:1')).rejects.toThrow(
      /^the PT ended 3 times in a row and is not started again; the last time: node: ended before it said VERSION, with exit status 1/,
    )
    expect(events.of('restarting').map(({ attempt }) => attempt)).toEqual([1, 2])
    expect(events.of('gaveUp')).toMatchObject([{ error: { code: 'PT_CRASH_LOOP' } }])
    expect(events.of('launching').length).toBe(3)
  })

  test('and a healthy run lets the count start anew', async () => {
    const lives = Array.from({ length: 4 }, () => gone(1))
    const { events } = await launchLives(lives, { restart: { initialDelay: 1, maxRestarts: 1, healthyAfter: 0 } })
    for (let life = 1; life < lives.length; life++) {
      const ready = events.next('ready')
      process.kill(events.pid, 'SIGKILL')
      await ready
    }
    expect(events.of('restarting').map(({ attempt }) => attempt)).toEqual([1, 1, 1])
  })

  test('PT_PROTOCOL: and one that breaks the protocol in mid-run is ended first', async () => {
    const { events } = await launchLives([`${gone(1)};VERSION 1`, gone(1)])
    await expect.poll(() => events.of('ready').length).toBe(2)
    expect(events.of('restarting')).toMatchObject([{ error: { code: 'PT_PROTOCOL' } }])
    expect(events.of('exit')).toEqual([{ type: 'exit', code: null, signal: 'SIGKILL' }])
  })

  test('and a life with fewer transports than the first is none', async () => {
    const both = 'VERSION 1;CMETHOD a socks5 127.0.0.1:1;CMETHOD b socks5 127.0.0.1:2;CMETHODS DONE'
    const { pt, events } = await launchLives([both, gone(1), both], { transports: ['a', 'b'] })
    const ready = events.next('ready')
    process.kill(events.pid, 'SIGKILL')
    await ready
    expect([...pt.methods.keys()]).toEqual(['a', 'b'])
    expect(events.of('restarting')).toMatchObject([{ error: { code: 'PT_EXITED' } }, { error: { code: 'PT_LAUNCH' } }])
  })

  test('PT_EXITED: not with `restart: false`', async () => {
    const { pt, events } = await launchLives([gone(1)], { restart: false })
    const gaveUp = events.next('gaveUp')
    process.kill(events.pid, 'SIGKILL')
    await gaveUp
    await expect(pt.connect('a', '192.0.2.1:1')).rejects.toMatchObject({
      code: 'PT_EXITED',
      message: 'node: ended by itself, with SIGKILL',
    })
  })
})
