/** A front is dialled with real TLS servers, some of them behind a middlebox that judges hellos. */
import { once } from 'node:events'
import { readExactly } from 'postern/io'
import { describe, expect, onTestFinished, test } from 'vitest'
import { profiles } from '../../../src/tls/index.ts'
import type { Front, FrontTls } from '../../../src/transports/web/dial-front.ts'
import { dialFront } from '../../../src/transports/web/dial-front.ts'
import { onlyHello, profileOf } from '../../../src/transports/web/utls.ts'
import type { Visit } from '../../../src/transports/web/visits.ts'
import { Visits } from '../../../src/transports/web/visits.ts'
import { echo, serve } from '../../loopback.ts'
import { echoed, failureOf } from '../../support.ts'
import { clientSession } from '../harness.ts'
import type { Judge } from './fronts.ts'
import { host, middlebox, otherHost, tlsFront } from './fronts.ts'

const silence: Judge = () => 'done'
const noHttp2: Judge = (offersHttp2, conn) => {
  if (!offersHttp2) return 'pass'
  conn.end()
  return 'done'
}
const onlyHttp2: Judge = (offersHttp2, conn) => {
  if (offersHttp2) return 'pass'
  conn.resetAndDestroy()
  return 'done'
}

function visit(): Visit {
  return new Visits().of('a front')
}

async function dial(port: number, given: Partial<FrontTls> = {}, signal?: AbortSignal): Promise<Front> {
  const profile = profileOf({ utls: undefined, profile: undefined }, 'websocket')
  const tls: FrontTls = { servername: host, form: 'websocket', profile, visit: visit(), ...given }
  const target = `127.0.0.1:${port}`
  const front = await dialFront({ session: clientSession({ target, ...(signal && { signal }) }), target, tls })
  onTestFinished(() => void front.stream.on('error', () => undefined).destroy())
  return front
}

test('the stream is that of a WebSocket of Chromium, with the name of the front', async () => {
  const front = await tlsFront(echo, { ALPNProtocols: ['h2', 'http/1.1'] })
  const { stream, alpn, browser } = await dial(front.port)
  expect([alpn, browser]).toEqual(['http/1.1', 'chromium'])
  expect(await echoed(stream, 'hello')).toBe('hello')
  expect(front.seen).toEqual([{ servername: host, alpn: 'http/1.1', resumed: false }])
})

test('without TLS it is the connection itself', async () => {
  const { port } = await serve(echo)
  const target = `127.0.0.1:${port}`
  const { stream, browser } = await dialFront({ session: clientSession({ target }), target, tls: undefined })
  expect([await echoed(stream, 'hello'), browser]).toEqual(['hello', undefined])
})

test('a second visit shows a ticket of the first', async () => {
  const front = await tlsFront(echo)
  const same = visit()
  for (const resumed of [false, true]) {
    const { stream } = await dial(front.port, { visit: same })
    expect(await echoed(stream, 'hello')).toBe('hello')
    expect(front.seen.at(-1)?.resumed).toBe(resumed)
  }
})

describe('a hello without an answer', () => {
  test('is followed by that of another browser, which comes first the next time', async () => {
    const front = await tlsFront(echo)
    const box = await middlebox(front.port, onlyHttp2)
    const same = visit()
    const { stream, browser } = await dial(box.port, { visit: same })
    expect([await echoed(stream, 'hello'), browser, box.hellos]).toEqual(['hello', 'firefox', [false, true]])
    expect((await dial(box.port, { visit: same })).browser).toBe('firefox')
    expect(box.hellos).toEqual([false, true, true])
  })

  test('that is swallowed counts as none after its time', async () => {
    const front = await tlsFront(echo)
    const box = await middlebox(front.port, (offersHttp2) => (offersHttp2 ? 'pass' : 'done'))
    const { browser } = await dial(box.port, { timeout: 2_000 })
    expect([browser, box.hellos]).toEqual(['firefox', [false, true]])
  })

  test('is followed by one other hello, and no third', async () => {
    const box = await middlebox(1, (_offers, conn) => {
      conn.end()
      return 'done'
    })
    const error = await failureOf(dial(box.port))
    expect(error).toMatchObject({ code: 'PT_TLS', stage: 'closed' })
    expect(box.hellos).toEqual([false, true])
  })

  test.each<[string, Partial<FrontTls>]>([
    [
      'a profile that was asked for by its name',
      { profile: profileOf({ utls: undefined, profile: 'chromium' }, 'websocket') },
    ],
    ["a profile of the user's own", { profile: onlyHello(profiles['chromium-websocket']) }],
    ['the caller, who has tried a second one already', { mayTrySecond: false }],
  ])('is the last one for %s', async (_whom, given) => {
    const box = await middlebox(1, (_offers, conn) => {
      conn.end()
      return 'done'
    })
    await failureOf(dial(box.port, given))
    expect(box.hellos).toEqual([false])
  })

  test('ends with the session', async () => {
    const box = await middlebox(1, silence)
    const hangUp = new AbortController()
    const failed = failureOf(dial(box.port, {}, hangUp.signal))
    await expect.poll(() => box.hellos).toEqual([false])
    const reason = new Error('the parent hung up')
    hangUp.abort(reason)
    expect(await failed).toBe(reason)
    expect(box.hellos).toEqual([false])
  })
})

test('an alert is an answer: no other hello follows it', async () => {
  const box = await middlebox(1, (_offers, conn) => {
    // A fatal handshake_failure.
    conn.end(Buffer.from('15030300020228', 'hex'))
    return 'done'
  })
  expect(await failureOf(dial(box.port))).toMatchObject({ code: 'PT_TLS', stage: 'tls' })
  expect(box.hellos).toEqual([false])
})

test('a front of TLS 1.2 is said to be one, after one hello', async () => {
  const front = await tlsFront(echo, { maxVersion: 'TLSv1.2' })
  const box = await middlebox(front.port, () => 'pass')
  const error = await failureOf(dial(box.port))
  expect(error).toMatchObject({
    code: 'PT_TLS',
    stage: 'tls',
    message: expect.stringContaining('no TLS 1.3') as string,
  })
  expect(box.hellos).toEqual([false])
})

test('a port where nothing listens is no reason for another hello', async () => {
  expect(await failureOf(dial(1))).toMatchObject({ code: 'ECONNREFUSED' })
})

describe('a front that chooses HTTP/2 for a WebSocket of Firefox', () => {
  const profile = profileOf({ utls: 'hellofirefox_auto', profile: undefined }, 'websocket')

  test('is dialled again with HTTP/1.1 alone, and from then on only so', async () => {
    const front = await tlsFront(echo, { ALPNProtocols: ['h2', 'http/1.1'] })
    const box = await middlebox(front.port, () => 'pass')
    const same = visit()
    for (const hellos of [
      [true, false],
      [true, false, false],
    ]) {
      const { stream, alpn, browser } = await dial(box.port, { profile, visit: same })
      expect([alpn, browser, await echoed(stream, 'hello')]).toEqual(['http/1.1', 'firefox', 'hello'])
      expect(box.hellos).toEqual(hellos)
    }
  })

  test('is what a page wants', async () => {
    const front = await tlsFront(echo, { ALPNProtocols: ['h2', 'http/1.1'] })
    expect((await dial(front.port, { profile, form: 'page' })).alpn).toBe('h2')
  })

  test('is dialled as Chromium if the hello of Firefox gets no answer', async () => {
    const front = await tlsFront(echo)
    const box = await middlebox(front.port, noHttp2)
    expect((await dial(box.port, { profile })).browser).toBe('chromium')
    expect(box.hellos).toEqual([true, false])
  })
})

describe('the certificate', () => {
  test.each<[string[], boolean]>([
    [[host], true],
    [['elsewhere.example'], false],
    [['elsewhere.example', otherHost], true],
    [['elsewhere.example', 'nowhere.example'], false],
    [['*'], true],
    [['elsewhere.example', '*'], true],
  ])('has to carry one of %j', async (verifyNames, holds) => {
    const { port } = await tlsFront(echo)
    const dialled = dial(port, { servername: 'imitated.example', verifyNames })
    if (holds) expect(await echoed((await dialled).stream, 'hello')).toBe('hello')
    else expect(await failureOf(dialled)).toMatchObject({ code: 'PT_CERTIFICATE', stage: 'certificate' })
  })
})

test.each<[string, string, string]>([
  ['an end without close_notify is an ordinary one', '', 'end'],
  ['amid a record it is an error', '1703030020ff', 'error'],
])('%s', async (_what, rest, expected) => {
  const front = await tlsFront((conn) => conn.write('the last words'))
  const box = await middlebox(front.port, () => 'pass')
  const { stream } = await dial(box.port, { mayEndAbruptly: true })
  expect(String(await readExactly(stream, 14))).toBe('the last words')
  const ended = once(stream, 'end').then(() => 'end')
  const failed = once(stream, 'error').then(() => 'error')
  stream.resume()
  box.cut(Buffer.from(rest, 'hex'))
  expect(await Promise.race([ended.catch(() => 'error'), failed])).toBe(expected)
})

test("a page's profile of the user's own is dialled again with HTTP/1.1 alone if the front chooses HTTP/2 for a WebSocket", async () => {
  const front = await tlsFront(echo, { ALPNProtocols: ['h2', 'http/1.1'] })
  const box = await middlebox(front.port, () => 'pass')
  const profile = onlyHello({ ...profiles['chromium-page'], name: 'my-own' })
  const same = visit()
  expect((await dial(box.port, { profile, visit: same })).alpn).toBe('http/1.1')
  expect((await dial(box.port, { profile, visit: same })).alpn).toBe('http/1.1')
  expect(box.hellos).toEqual([true, false, false])
})
