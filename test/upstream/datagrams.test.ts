/** Datagrams: directly, through a SOCKS 5 proxy, and never around another one. */
import type { RemoteInfo } from 'node:dgram'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { readExactly } from 'postern/io'
import type { ProxyUri } from 'postern/ipc'
import { makeDatagrams } from 'postern/upstream'
import { describe, expect, onTestFinished, test } from 'vitest'
import { serve } from '../loopback.ts'
import { failureOf } from '../support.ts'
import { forever, printed, proxyAt } from './peers.ts'

interface Udp {
  readonly port: number
  readonly heard: { readonly text: string; readonly from: RemoteInfo }[]
  say(text: string | Buffer, to: RemoteInfo): void
}

/** A UDP socket on loopback; `answer` gives what it says to each datagram. */
async function udp(answer: (message: Buffer) => Buffer | undefined = (message) => message): Promise<Udp> {
  const socket = createSocket('udp4')
  const heard: Udp['heard'] = []
  socket.on('message', (message, from) => {
    heard.push({ text: message.toString('latin1'), from })
    const reply = answer(message)
    if (reply !== undefined) socket.send(reply, from.port, from.address)
  })
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  onTestFinished(() => void socket.close())
  return { port: socket.address().port, heard, say: (text, to) => socket.send(text, to.port, to.address) }
}

async function first(flow: AsyncIterable<Buffer>): Promise<string> {
  for await (const datagram of flow) return datagram.toString('latin1')
  return 'over'
}

describe('without a proxy', () => {
  test('datagrams go to the target and come back from there', async () => {
    const { port } = await udp()
    const flow = await makeDatagrams({})(`127.0.0.1:${port}`, forever)
    flow.send(Buffer.from('word'))
    expect(await first(flow)).toBe('word')
    await flow.closed
  })

  test('they come from the outbound bind address, but not on loopback, as connections do', async () => {
    const { port, heard } = await udp()
    const outboundBind = { v4: '192.0.2.1' }
    const flow = await makeDatagrams({ outboundBind })(`127.0.0.1:${port}`, forever)
    flow.send(Buffer.from('word'))
    await first(flow)
    expect(heard[0]!.from.address).toBe('127.0.0.1')
    // An address that this machine does not have shows that it is asked for.
    const { code, stage } = await failureOf(makeDatagrams({ outboundBind })('198.51.100.1:1', forever))
    expect([code, stage]).toEqual(['PT_CONNECT', 'local'])
  })

  test('what another sender sends is not of the flow', async () => {
    const target = await udp(() => undefined)
    const stranger = await udp()
    const flow = await makeDatagrams({})(`127.0.0.1:${target.port}`, forever)
    onTestFinished(() => flow.close())
    flow.send(Buffer.from('hello'))
    await expect.poll(() => target.heard.length).toBe(1)
    const { from } = target.heard[0]!
    stranger.say('from a stranger', from)
    target.say('from the target', from)
    expect(await first(flow)).toBe('from the target')
  })

  test('a target that is not there loses datagrams, and nothing else happens', async () => {
    const { port } = await udp()
    const gone = createSocket('udp4')
    await new Promise<void>((resolve) => gone.bind(0, '127.0.0.1', resolve))
    const shut = gone.address().port
    await new Promise<void>((resolve) => gone.close(resolve))
    const flow = await makeDatagrams({})(`127.0.0.1:${shut}`, forever)
    flow.send(Buffer.from('lost'))
    flow.send(Buffer.from('lost too'))
    const other = await makeDatagrams({})(`127.0.0.1:${port}`, forever)
    other.send(Buffer.from('word'))
    expect(await first(other)).toBe('word')
    flow.close()
    expect(await first(flow)).toBe('over')
  })

  test('its signal ends a flow', async () => {
    const { port } = await udp()
    const stop = new AbortController()
    const flow = await makeDatagrams({})(`127.0.0.1:${port}`, stop.signal)
    const waiting = failureOf(first(flow))
    stop.abort(new Error('the connection has ended'))
    expect((await waiting).message).toBe('the connection has ended')
    await expect(makeDatagrams({})(`127.0.0.1:${port}`, stop.signal)).rejects.toThrow('the connection has ended')
  })

  test('a malformed target is refused, and not repeated', async () => {
    const error = await failureOf(makeDatagrams({})('cdn.example', forever))
    expect(error.code).toBe('PT_ADDRESS')
    expect(printed(error)).not.toContain('cdn.example')
  })
})

describe('limits', () => {
  test('the number of flows', async () => {
    const { port } = await udp()
    const open = makeDatagrams({ maxFlows: 2 })
    const flows = [await open(`127.0.0.1:${port}`, forever), await open(`127.0.0.1:${port}`, forever)]
    expect((await failureOf(open(`127.0.0.1:${port}`, forever))).code).toBe('PT_LIMIT')
    flows[0]!.close()
    await flows[0]!.closed
    const again = await open(`127.0.0.1:${port}`, forever)
    for (const flow of [flows[1]!, again]) flow.close()
  })

  test.each([
    ['datagrams', { maxWaiting: 3 }, ['1', '22', '333']],
    ['bytes', { maxBytes: 4 }, ['1', '22']],
  ])('the number of %s that wait: what is beyond is lost', async (_what, limits, expected) => {
    const target = await udp()
    const flow = await makeDatagrams(limits)(`127.0.0.1:${target.port}`, forever)
    for (const text of ['1', '22', '333', '4444']) flow.send(Buffer.from(text))
    await expect.poll(() => target.heard.length).toBe(4)
    // A datagram through another flow of this process has arrived after those of the first.
    const other = await makeDatagrams({})(`127.0.0.1:${target.port}`, forever)
    other.send(Buffer.from('later'))
    await first(other)
    const taken: string[] = []
    for (const _ of expected) {
      const { value } = await flow.next()
      taken.push(String(value))
    }
    flow.close()
    expect([...taken, await first(flow)]).toEqual([...expected, 'over'])
  })

  test('the time for which a flow is silent', async () => {
    const { port } = await udp()
    const flow = await makeDatagrams({ idleTimeout: 50 })(`127.0.0.1:${port}`, forever)
    expect((await failureOf(first(flow))).code).toBe('PT_TIMEOUT')
    await flow.closed
  })
})

/** A SOCKS 5 proxy that takes UDP ASSOCIATE, and answers with `reply`. */
async function associating(reply: (relay: number) => Buffer): Promise<{ uri: ProxyUri; relay: Udp; conns: Socket[] }> {
  // A relay takes the head off, and puts that of the target before the answer, which here is an echo.
  const relay = await udp((message) => message)
  const conns: Socket[] = []
  const { port } = await serve(async (conn) => {
    conns.push(conn)
    await readExactly(conn, 3)
    conn.write(Buffer.of(5, 0))
    expect(await readExactly(conn, 10)).toEqual(Buffer.of(5, 3, 0, 1, 0, 0, 0, 0, 0, 0))
    conn.write(reply(relay.port))
  })
  return { uri: proxyAt('socks5', port), relay, conns }
}

const at = (host: readonly number[], port: number): Buffer => Buffer.from([5, 0, 0, 1, ...host, port >> 8, port & 255])

describe('through a SOCKS 5 proxy', () => {
  test.each([
    ['the relay’s address', [127, 0, 0, 1]],
    ['no address, which is that of the proxy', [0, 0, 0, 0]],
  ])('ANON-3: datagrams go to its relay with the target in front; it names %s', async (_what, host) => {
    const { uri, relay } = await associating((port) => at(host, port))
    const flow = await makeDatagrams({ proxy: uri })('198.51.100.7:4433', forever)
    flow.send(Buffer.from('word'))
    expect(await first(flow)).toBe('word')
    expect(relay.heard[0]!.text).toBe('\0\0\0\x01\xc6\x33\x64\x07\x11\x51word')
  })

  test('ANON-2: a name goes to the proxy as it is', async () => {
    const { uri, relay } = await associating((port) => at([127, 0, 0, 1], port))
    const flow = await makeDatagrams({ proxy: uri })('cdn.example:443', forever)
    flow.send(Buffer.from('word'))
    await first(flow)
    expect(relay.heard[0]!.text).toBe('\0\0\0\x03\x0bcdn.example\x01\xbbword')
  })

  test.each([
    ['fragments', '\0\0\x01\x01\xc6\x33\x64\x07\x11\x51part'],
    ['of another sender', '\0\0\0\x01\xc6\x33\x64\x08\x11\x51other'],
    ['cut short', '\0\0\0\x01\xc6\x33'],
    ['of an unknown type', '\0\0\0\x09\xc6\x33\x64\x07\x11\x51word'],
    ['empty', ''],
  ])('datagrams that are %s are dropped', async (_what, wrong) => {
    const { uri, relay } = await associating((port) => at([127, 0, 0, 1], port))
    const flow = await makeDatagrams({ proxy: uri })('198.51.100.7:4433', forever)
    flow.send(Buffer.from('1'))
    expect((await flow.next()).value).toEqual(Buffer.from('1'))
    const { from } = relay.heard[0]!
    relay.say(Buffer.from(wrong, 'latin1'), from)
    relay.say(Buffer.from('\0\0\0\x01\xc6\x33\x64\x07\x11\x51right', 'latin1'), from)
    expect(await first(flow)).toBe('right')
  })

  test('the flow ends with the connection to the proxy, and the other way round', async () => {
    const { uri, conns } = await associating((port) => at([127, 0, 0, 1], port))
    const open = makeDatagrams({ proxy: uri })
    const [one, other] = [await open('198.51.100.7:1', forever), await open('198.51.100.7:1', forever)]
    const failed = failureOf(first(one))
    conns[0]!.end()
    expect(await failed).toMatchObject({ code: 'PT_PROXY', stage: 'proxy' })
    const ended = once(conns[1]!.resume(), 'end')
    other.close()
    await ended
  })

  test.each([
    ['refuses', Buffer.of(5, 7, 0, 1, 0, 0, 0, 0, 0, 0), 'reply 7'],
    ['names a host for its relay', Buffer.from('\x05\0\0\x03\x05relay\0\x01', 'latin1'), 'named a host'],
  ])('a proxy that %s is an error, and nothing goes around it', async (_what, reply, message) => {
    const { uri, conns } = await associating(() => reply)
    const error = await failureOf(makeDatagrams({ proxy: uri })('198.51.100.7:4433', forever))
    expect(error).toMatchObject({ code: 'PT_PROXY', stage: 'proxy' })
    expect(error.message).toContain(message)
    expect(printed(error)).not.toContain('198.51.100.7')
    await expect.poll(() => conns[0]!.closed || conns[0]!.readableEnded || conns[0]!.destroyed).toBe(true)
  })
})

test.each(['http', 'socks4a'] as const)(
  'CENV-3, ANON-3: with a %s proxy there are no datagrams at all',
  async (protocol) => {
    let connections = 0
    const { port } = await serve(() => void connections++)
    const target = await udp()
    const error = await failureOf(
      makeDatagrams({ proxy: proxyAt(protocol, port) })(`127.0.0.1:${target.port}`, forever),
    )
    expect(error).toMatchObject({ code: 'PT_PROXY', stage: 'proxy' })
    expect([connections, target.heard.length]).toEqual([0, 0])
  },
)
