import { getEventListeners, once } from 'node:events'
import * as upstream from 'postern/upstream'
import { makeConnect } from 'postern/upstream'
import { readExactly } from 'postern/io'
import type { Connect } from 'postern/transport'
import { describe, expect, test } from 'vitest'
import { firstOf } from '../../src/io/wait/race.ts'
import { echo, serve } from '../loopback.ts'
import { failureOf } from '../support.ts'
import { forever, noneConnecting, printed, proxyAt, silentPort } from './peers.ts'

test('CENV-3: there is one function to open connections, a transport’s connect, and one for datagrams', () => {
  expect(Object.keys(upstream)).toEqual(['makeConnect', 'makeDatagrams'])
  expect(makeConnect({}) satisfies Connect).toBeTypeOf('function')
})

describe('without a proxy', () => {
  test.each(['127.0.0.1', 'localhost', '0.0.0.0'])('connects to %s and keeps half-close', async (host) => {
    const server = await serve(echo)
    const conn = await makeConnect({})(`${host}:${server.port}`, forever)
    conn.end('to the end')
    expect(String(await readExactly(conn, 10))).toBe('to the end')
    conn.resume()
    await once(conn, 'close')
    expect(server.accepted).toHaveLength(1)
  })

  test('connects to IPv6', async () => {
    const server = await serve(echo, '::1')
    const conn = await makeConnect({})(`[::1]:${server.port}`, forever)
    conn.write('six')
    expect(String(await readExactly(conn, 3))).toBe('six')
    conn.destroy()
  })

  test('a connection that is reset while nobody looks does not end the process', async () => {
    const server = await serve((conn) => conn.once('data', () => conn.resetAndDestroy()))
    const conn = await makeConnect({})(`127.0.0.1:${server.port}`, forever)
    conn.write('x')
    if (!conn.destroyed) await new Promise((resolve) => conn.once('close', resolve))
    expect(await failureOf(readExactly(conn, 1))).toMatchObject({ code: 'ECONNRESET' })
  })

  test('PT_CONNECT: a name that nobody knows fails in stage dns, and is not in the error', async () => {
    // A label is at most 63 bytes long, so no name server is asked.
    const name = `${'a'.repeat(64)}.invalid`
    const error = await failureOf(makeConnect({})(`${name}:443`, forever))
    expect(error).toMatchObject({ code: 'PT_CONNECT', stage: 'dns', cause: { code: expect.stringMatching(/^E/) } })
    expect(printed(error)).not.toMatch(/aaa|invalid|443/)
  })

  test('PT_CONNECT: a refusal fails in stage connect, and the address is not in the error', async () => {
    const error = await failureOf(makeConnect({})('127.0.0.77:1', forever))
    expect(error).toMatchObject({ code: 'PT_CONNECT', stage: 'connect', cause: { code: 'ECONNREFUSED' } })
    expect(printed(error)).not.toMatch(/127\.0/)
  })

  test('PT_CONNECT: where every address of a name refuses, the first refusal is the code', async () => {
    const error = await failureOf(makeConnect({})('localhost:1', forever))
    expect(error).toMatchObject({ code: 'PT_CONNECT', stage: 'connect', cause: { code: 'ECONNREFUSED' } })
    expect(printed(error)).not.toMatch(/127\.0|::1|localhost/)
  })

  test('nothing is left on a signal that lives on', async () => {
    const server = await serve(echo)
    const { signal } = new AbortController()
    const proxy = proxyAt('http', 1)
    for (const target of [`127.0.0.1:${server.port}`, `localhost:${server.port}`, 'localhost:1', '127.0.0.1:1']) {
      await makeConnect({})(target, signal).then(
        (conn) => conn.destroy(),
        () => undefined,
      )
      await failureOf(makeConnect({ proxy })(target, signal))
    }
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  test.each(['', '127.0.0.77', '127.0.0.77:', ':1', '127.0.0.77:65536', '[::77', 'a b:1', '[127.0.0.77]:1', '77..a:1'])(
    'PT_ADDRESS: %j is no target, and is not in the error',
    async (target) => {
      const error = await failureOf(makeConnect({})(target, forever))
      expect(error).toMatchObject({ code: 'PT_ADDRESS', stage: 'argument' })
      expect(printed(error)).not.toMatch(/77/)
    },
  )
})

describe('the outbound bind address', () => {
  // Linux takes 0.0.0.0 for the address that the connection comes from, and all of 127.0.0.0/8 for this host.
  test.runIf(process.platform === 'linux')('is where connections come from', async () => {
    const server = await serve(echo, '127.0.0.9')
    const conn = await makeConnect({ outboundBind: { v4: '127.0.0.9' } })(`0.0.0.0:${server.port}`, forever)
    conn.destroy()
    expect(server.accepted).toEqual(['127.0.0.9'])
  })

  test.runIf(process.platform === 'linux')('is where connections to the proxy come from, too', async () => {
    const proxy = await serve((conn) => conn.destroy(), '127.0.0.9')
    const address = { host: '0.0.0.0', port: proxy.port }
    const connect = makeConnect({ proxy: { protocol: 'socks5', address }, outboundBind: { v4: '127.0.0.9' } })
    await failureOf(connect('192.0.2.1:1', forever))
    expect(proxy.accepted).toEqual(['127.0.0.9'])
  })

  test.each([
    ['127.0.0.1', '127.0.0.1'],
    ['localhost', '127.0.0.1'],
    ['[::1]', '::1'],
    ['[::ffff:127.0.0.1]', '127.0.0.1'],
  ])('is not used towards loopback: %s', async (host, listening) => {
    const server = await serve(echo, listening)
    const connect = makeConnect({ outboundBind: { v4: '203.0.113.4', v6: '2001:db8::4' } })
    const conn = await connect(`${host}:${server.port}`, forever)
    conn.destroy()
    expect(server.accepted).toHaveLength(1)
  })

  test.each([
    ['0.0.0.0:1', { v4: '203.0.113.4' }],
    ['[::]:1', { v6: '2001:db8::4' }],
  ])('PT_CONNECT: one that this host does not have connects to nothing: %s', async (target, outboundBind) => {
    const error = await failureOf(makeConnect({ outboundBind })(target, forever))
    expect(error).toMatchObject({ code: 'PT_CONNECT', stage: 'local', cause: { syscall: 'bind' } })
    expect(error.message).toMatch(/EADDRNOTAVAIL; the outbound bind address is not one that this host can use/)
  })

  test.each([
    ['[::]', { v4: '203.0.113.4' }, '::1'],
    ['0.0.0.0', { v6: '2001:db8::4' }, '127.0.0.1'],
  ])('of the other family is not used: %s', async (host, outboundBind, listening) => {
    const server = await serve(echo, listening)
    const conn = await makeConnect({ outboundBind })(`${host}:${server.port}`, forever)
    conn.destroy()
    expect(server.accepted).toHaveLength(1)
  })
})

describe('a connection that does not come about', () => {
  const connectTimeout = 150

  test.runIf(process.platform === 'linux')('PT_CONNECT: is given up after the time, or with the signal', async () => {
    const connect = makeConnect({ connectTimeout })
    const patient = makeConnect({ connectTimeout: 500 })
    const port = await silentPort(async (port) => (await patient(`127.0.0.1:${port}`, forever)).destroy())
    const error = await failureOf(connect(`127.0.0.1:${port}`, forever))
    expect(error).toMatchObject({ code: 'PT_CONNECT', stage: 'connect', cause: { code: 'PT_TIMEOUT' } })
    expect(error.message).toBe('the target cannot be reached: the connection took longer than 0.15 s')

    const abort = new AbortController()
    const failure = failureOf(makeConnect({})(`127.0.0.1:${port}`, abort.signal))
    setImmediate(() => abort.abort(new Error('hung up')))
    expect((await failure).message).toBe('hung up')
    await noneConnecting()
  })

  test.each(['127.0.0.1', 'localhost'])('a signal that has aborted opens no connection to %s', async (host) => {
    const server = await serve(echo)
    const reason = new Error('too late')
    expect(await failureOf(makeConnect({})(`${host}:${server.port}`, AbortSignal.abort(reason)))).toBe(reason)
    const abort = new AbortController()
    const failure = failureOf(makeConnect({})(`${host}:${server.port}`, abort.signal))
    abort.abort(reason)
    expect(await failure).toBe(reason)
    await server.allClosed()
  })
})

describe('happy eyeballs', () => {
  class Resource {
    destroyed = false
    destroy(): void {
      this.destroyed = true
    }
  }
  const never = (signal: AbortSignal): Promise<Resource> =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
  const fails = (code: string) => (): Promise<Resource> => Promise.reject(Object.assign(new Error(code), { code }))

  test('the second attempt starts beside one that hangs, and wins; the first is aborted', async () => {
    let hanging: AbortSignal | undefined
    const winner = new Resource()
    const hangs = (signal: AbortSignal): Promise<Resource> => never((hanging = signal))
    expect(await firstOf([hangs, () => Promise.resolve(winner)], forever)).toBe(winner)
    expect(hanging?.aborted).toBe(true)
    expect(winner.destroyed).toBe(false)
  })

  test('the next attempt starts as soon as one has failed, and none once one has won', async () => {
    const winner = new Resource()
    let waited = false
    setImmediate(() => (waited = true))
    let more = 0
    const extra = (): Promise<Resource> => {
      more++
      return Promise.resolve(new Resource())
    }
    const attempts = [fails('EHOSTUNREACH'), fails('EHOSTUNREACH'), () => Promise.resolve(winner), extra]
    expect(await firstOf(attempts, forever)).toBe(winner)
    expect(waited).toBe(false)
    await new Promise((resolve) => setImmediate(resolve))
    expect(more).toBe(0)
  })

  test('what succeeds after the race is over is destroyed', async () => {
    const late = new Resource()
    const winner = new Resource()
    let finish = (): void => undefined
    const stubborn = (): Promise<Resource> => new Promise((resolve) => (finish = () => resolve(late)))
    expect(await firstOf([stubborn, () => Promise.resolve(winner)], forever)).toBe(winner)
    finish()
    await new Promise((resolve) => setImmediate(resolve))
    expect(late.destroyed).toBe(true)
  })

  test('all failures are told together, under the code of the first', async () => {
    const error = await failureOf(firstOf([fails('ENETUNREACH'), fails('ECONNREFUSED')], forever))
    expect(error).toBeInstanceOf(AggregateError)
    expect(error).toMatchObject({ code: 'ENETUNREACH', errors: [{ code: 'ENETUNREACH' }, { code: 'ECONNREFUSED' }] })
  })

  test('aborting ends every attempt with the reason', async () => {
    const abort = new AbortController()
    const failure = failureOf(firstOf([never, never], abort.signal))
    setImmediate(() => abort.abort(new Error('hung up')))
    expect((await failure).message).toBe('hung up')
  })
})
