import { once } from 'node:events'
import type { Socket } from 'node:net'
import { createServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { listen, readExactly } from 'postern/io'
import type { ClientPt, LaunchClientOptions } from 'postern/parent'
import { launchClient } from 'postern/parent'
import type { SocksRequest } from 'postern/socks'
import { acceptSocks } from 'postern/socks'
import { describe, expect, onTestFinished, test } from 'vitest'
import { freePort, tempDir } from '../support.ts'
import { Events, fixture, sayClient } from './fixtures.ts'

/** A TCP server until the test has finished; gives its port. */
async function serve(handle: (conn: Socket) => void): Promise<number> {
  const open = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (conn) => {
    open.add(conn.on('error', () => {}))
    handle(conn)
  })
  onTestFinished(() => {
    for (const conn of open) conn.destroy()
    server.close()
  })
  return (await listen(server, '127.0.0.1', 0)).port
}

/** A real SOCKS server that grants every request and then echoes what comes. */
async function serveSocks(requests: SocksRequest[] = []): Promise<number> {
  return await serve((conn) => {
    void acceptSocks(conn).then((request) => {
      requests.push(request)
      request.grant()
      conn.pipe(conn)
    })
  })
}

/** A PT whose SOCKS port is `port`, until the test has finished. */
async function launchAt(
  port: number,
  options: Partial<LaunchClientOptions> = {},
  protocol?: string,
): Promise<ClientPt> {
  const exec = fixture('say', ...sayClient(port, protocol))
  const pt = await launchClient({ exec, transports: ['a'], stateDir: tempDir(), ...options })
  onTestFinished(async () => void (await pt.stop()))
  return pt
}

async function echoed(conn: Duplex, text: string): Promise<string> {
  conn.write(text)
  return String(await readExactly(conn, Buffer.byteLength(text)))
}

describe('connect', () => {
  test.each([
    ['socks5', 5, 'bridge.example:443'],
    ['socks5', 5, '[2001:db8::1]:443'],
    ['socks4', 4, '198.51.100.1:443'],
    ['socks4', 4, 'bridge.example:443'],
  ])('ARGS-2, ARGS-3, ARGS-4: asks by %s for %s%s, with the arguments', async (protocol, version, target) => {
    const requests: SocksRequest[] = []
    const pt = await launchAt(await serveSocks(requests), {}, protocol)
    const args = { cert: 'x=;\\', 'iat-mode': '0' }
    const conn = await pt.connect('a', target, { args })
    expect(await echoed(conn, 'hello')).toBe('hello')
    expect(requests).toMatchObject([{ version, target }])
    expect(requests.map((request) => Object.fromEntries(request.args))).toEqual([args])
  })

  test('ARGS-4, ARGS-5: a list that fits UNAME leaves one NUL for PASSWD, a longer one goes on there', async () => {
    const logins: string[] = []
    const port = await serve((conn) => {
      void (async () => {
        const methods = await readExactly(conn, (await readExactly(conn, 2)).readUInt8(1))
        expect(methods).toContain(2)
        conn.write(Buffer.of(5, 2))
        const user = await readExactly(conn, (await readExactly(conn, 2)).readUInt8(1))
        const password = await readExactly(conn, (await readExactly(conn, 1)).readUInt8())
        logins.push(`${user.length}+${password.length}${password[0] === 0 ? ' NUL' : ''}`)
        conn.destroy()
      })().catch(() => conn.destroy())
    })
    const pt = await launchAt(port)
    for (const size of [1, 253, 254]) {
      const args = { k: 'v'.repeat(size) }
      await expect(pt.connect('a', '192.0.2.1:1', { args })).rejects.toMatchObject({ code: 'PT_CLOSED' })
    }
    expect(logins).toEqual(['3+1 NUL', '255+1 NUL', '255+1'])
    const args = { k: 'v'.repeat(600) }
    await expect(pt.connect('a', '192.0.2.1:1', { args })).rejects.toMatchObject({ code: 'PT_ARGS' })
  })

  test('the connection is half-open where one side has ended, and the bytes behind the reply are its first', async () => {
    const port = await serve((conn) => {
      void acceptSocks(conn).then((request) => {
        request.grant()
        conn.write('first')
        conn.on('end', () => conn.end('last')).resume()
      })
    })
    const conn = await (await launchAt(port)).connect('a', '192.0.2.1:1')
    expect(String(await readExactly(conn, 5))).toBe('first')
    conn.end()
    expect(String(await readExactly(conn, 4))).toBe('last')
  })

  test('PT_LAUNCH: a transport that is not there, and why', async () => {
    const pt = await launchAt(1, { transports: ['a', 'b'] })
    await expect(pt.connect('b', '192.0.2.1:1')).rejects.toMatchObject({
      code: 'PT_LAUNCH',
      message: 'there is no transport b: the PT does not know it',
    })
    await expect(pt.connect('c', '192.0.2.1:1')).rejects.toThrow('there is no transport c: it was not requested')
  })

  test('PT_CONNECT: a PT that runs without its SOCKS port', async () => {
    const pt = await launchAt(await freePort())
    await expect(pt.connect('a', '192.0.2.1:1')).rejects.toMatchObject({
      code: 'PT_CONNECT',
      cause: { code: 'ECONNREFUSED' },
    })
  })

  test('PT_TIMEOUT: a PT that does not answer', async () => {
    const pt = await launchAt(await serve(() => {}), { connectTimeout: 200 })
    await expect(pt.connect('a', '192.0.2.1:1')).rejects.toMatchObject({ code: 'PT_TIMEOUT' })
  })

  test('an aborted connect rejects with the reason of its signal and hangs up', async () => {
    const controller = new AbortController()
    const reason = new Error('changed my mind')
    let hungUp: Promise<unknown> | undefined
    const port = await serve((conn) => {
      hungUp = once(conn, 'end')
      conn.once('data', () => controller.abort(reason))
    })
    const pt = await launchAt(port)
    await expect(pt.connect('a', '192.0.2.1:1', { signal: controller.signal })).rejects.toBe(reason)
    await hungUp
    await expect(pt.connect('a', '192.0.2.1:1', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })

  test('PT_STOPPED: a connect that is under way when the PT is stopped, and one after', async () => {
    const pt = await launchAt(await serve((conn) => conn.once('data', () => void pt.stop())))
    await expect(pt.connect('a', '192.0.2.1:1')).rejects.toMatchObject({ code: 'PT_STOPPED' })
    await expect(pt.connect('a', '192.0.2.1:1')).rejects.toMatchObject({ code: 'PT_STOPPED' })
  })
})

describe('PT_SOCKS_REFUSED: a refusal has the meaning of its reply and what the PT said about it', () => {
  async function refused(...lines: string[]): Promise<string> {
    await using pt = await launchClient({ exec: fixture('refuse', ...lines), transports: ['a'], stateDir: tempDir() })
    const error = await pt.connect('a', '192.0.2.1:1').then(
      () => expect.fail('it connected'),
      (error: unknown) => error as Error,
    )
    expect(error).toMatchObject({ code: 'PT_SOCKS_REFUSED', reply: 5 })
    return error.message
  }

  test('STATUS-2: by a STATUS of its transport, without addresses', async () => {
    const message = await refused(
      'STATUS TRANSPORT=a ADDRESS=192.0.2.1:1 CONNECT=Failed FINGERPRINT=F00 ERRSTR="no route"',
    )
    expect(message).toMatch(/^a: .*refused.*; about that time the PT reported: CONNECT=Failed ERRSTR=no route$/)
    expect(message).not.toMatch(/192\.0\.2\.1|F00/)
  })

  test('LOG-2: by a LOG of a warning', async () => {
    expect(await refused('LOG SEVERITY=warning MESSAGE="handshake: bad cert"')).toMatch(
      /reported: handshake: bad cert$/,
    )
  })

  test.each([
    ['nothing'],
    ['a success', 'STATUS TRANSPORT=a CONNECT=Success'],
    ['another transport', 'STATUS TRANSPORT=b CONNECT=Failed ERRSTR=x'],
    ['a mere notice', 'LOG SEVERITY=notice MESSAGE=x'],
  ])('not by %s', async (_, ...lines) => {
    expect(await refused(...lines)).not.toContain('reported')
  })
})

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
    const { pt, events } = await launchLives([gone(await freePort()), gone(port)])
    process.kill(events.pid, 'SIGKILL')
    // The old port refuses; nothing is known of the death at this moment.
    const conn = await pt.connect('a', '192.0.2.1:1')
    expect(await echoed(conn, 'again')).toBe('again')
    expect(pt.methods.get('a')?.address.port).toBe(port)
    expect(events.of('exit')).toEqual([{ type: 'exit', code: null, signal: 'SIGKILL' }])
    expect(events.of('restarting')).toMatchObject([{ attempt: 1, error: { code: 'PT_EXITED' } }])
    expect(events.of('ready').length).toBe(2)
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
