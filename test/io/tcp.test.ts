/** A PT's own sockets: what net.Socket does, they do; the readers, adapters and relays are tried on them in their own files. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { spawnSync } from 'node:child_process'
import { constants } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { listen } from '../../src/io/tcp/listen.ts'
import type { TcpTarget } from '../../src/io/tcp/tcp.ts'
import { acceptTcp, listenerOptions, openTcp } from '../../src/io/tcp/tcp.ts'
import type { TcpConn } from '../../src/io/tcp/channel.ts'
import { TcpSocket } from '../../src/io/tcp/tcp-socket.ts'
import { failureOf, root } from '../support.ts'
import { drain, settle, socketPair, tcpPair, untilFinished, untilStill } from './streams.ts'

function open(target: TcpTarget): Promise<TcpConn> {
  return new Promise((connected, failed) => openTcp(target, { connected, failed }))
}

/** Ours, and a net.Socket at its other end. */
async function against(): Promise<[TcpConn, Socket]> {
  const server = createServer({ allowHalfOpen: true })
  const { port } = await listen(server, '127.0.0.1', 0)
  const [ours, [theirs]] = (await Promise.all([open({ host: '127.0.0.1', port }), once(server, 'connection')])) as [
    TcpConn,
    [Socket],
  ]
  server.close()
  return [untilFinished(ours), untilFinished(theirs)]
}

it('this Node shows what they are made of', async () => {
  const [client, accepted] = await tcpPair()
  expect([client, accepted]).toEqual([expect.any(TcpSocket), expect.any(TcpSocket)])
})

it('carries what is more than the system takes at once, both ways, and ends one by one', async () => {
  const [ours, theirs] = await against()
  const bytes = randomBytes(12 << 20)
  for (let at = 0; at < bytes.length; at += 1_000_000) ours.write(bytes.subarray(at, at + 1_000_000))
  expect(ours.writableLength).toBeGreaterThan(0)
  ours.end()
  expect((await drain(theirs)).equals(bytes)).toBe(true)
  theirs.end(bytes)
  expect((await drain(ours)).equals(bytes)).toBe(true)
  expect(ours.destroyed).toBe(true)
})

it('says who it is connected to, as long as it is', async () => {
  const [ours, theirs] = await against()
  expect(ours).toMatchObject({ remoteAddress: '127.0.0.1', remotePort: theirs.localPort })
  ours.destroy()
  expect(ours).toMatchObject({ remoteAddress: undefined, remotePort: undefined })
})

it('counts what it has read', async () => {
  const [ours, theirs] = await against()
  theirs.end(Buffer.alloc(300_000))
  await drain(ours)
  expect(ours.bytesRead).toBe(300_000)
})

it('ECONNRESET: a reset is an error without an address, and is seen though nobody reads', async () => {
  const [ours, theirs] = await against()
  theirs.resetAndDestroy()
  const [error] = (await once(ours, 'error')) as [Error]
  expect(error).toMatchObject({ code: 'ECONNRESET', syscall: 'read', message: 'read ECONNRESET' })
})

it('a write to who has gone fails', async () => {
  const [ours, theirs] = await against()
  theirs.resetAndDestroy()
  await new Promise((resolve) => ours.once('close', resolve))
  expect(await new Promise((resolve) => ours.write('x', resolve))).toMatchObject({ code: 'ERR_STREAM_DESTROYED' })
})

it('a write that the system has not taken fails where it is destroyed, and nothing is left open', async () => {
  const [ours, theirs] = await against()
  theirs.pause()
  const written = new Promise((resolve) => ours.write(Buffer.alloc(32 << 20), resolve))
  await settle()
  const gone = once(theirs.resume(), 'close')
  ours.destroy()
  expect(await written).toBeInstanceOf(Error)
  theirs.end()
  await gone
})

it('a reader that stops stops the sender, and one that goes on gets all', async () => {
  const [ours, theirs] = await against()
  ours.on('data', () => undefined).pause()
  theirs.write(Buffer.alloc(32 << 20))
  await untilStill(() => [ours.readableLength, theirs.writableLength])
  const held = ours.readableLength
  expect(held).toBeLessThanOrEqual(ours.readableHighWaterMark + 65_536)
  expect(theirs.writableLength).toBeGreaterThan(0)
  theirs.end()
  ours.resume()
  expect(await drain(ours)).toHaveLength(32 << 20)
})

it('ECONNREFUSED: nobody listens there', async () => {
  for (const host of ['127.0.0.77', '::1']) {
    const error = (await failureOf(open({ host, port: 1 }))) as Error
    expect(error).toMatchObject({ code: 'ECONNREFUSED', syscall: 'connect', message: 'connect ECONNREFUSED' })
  }
})

it('an address that is not this host’s is none to come from', async () => {
  const error = await failureOf(open({ host: '127.0.0.1', port: 1, localAddress: '192.0.2.7' }))
  expect(error).toMatchObject({ code: 'EADDRNOTAVAIL', syscall: 'bind' })
})

it('comes from the address that it is told to', async () => {
  const server = createServer()
  const { port } = await listen(server, '127.0.0.1', 0)
  onTestFinished(() => void server.close())
  const [ours, [theirs]] = (await Promise.all([
    open({ host: '127.0.0.1', port, localAddress: '127.0.0.9' }),
    once(server, 'connection'),
  ])) as [TcpConn, [Socket]]
  expect(theirs.remoteAddress).toBe('127.0.0.9')
  ours.destroy()
  theirs.destroy()
})

it('an attempt that is abandoned says nothing any more, and leaves nothing open', async () => {
  const server = createServer()
  const { port } = await listen(server, '127.0.0.1', 0)
  onTestFinished(() => void server.close())
  const heard: unknown[] = []
  const attempt = { connected: (conn: unknown) => heard.push(conn), failed: (error: unknown) => heard.push(error) }
  openTcp({ host: '127.0.0.1', port }, attempt)()
  const refused = openTcp({ host: '127.0.0.77', port: 1 }, attempt)
  refused()
  refused()
  // Later attempts of both kinds have their answers, so the abandoned ones would have had theirs.
  await failureOf(open({ host: '127.0.0.77', port: 1 }))
  const [later, [theirs]] = (await Promise.all([open({ host: '127.0.0.1', port }), once(server, 'connection')])) as [
    TcpConn,
    [Socket],
  ]
  later.destroy()
  await once(theirs.resume(), 'close')
  expect(heard).toEqual([])
  expect(await new Promise((resolve) => server.getConnections((_error, count) => resolve(count)))).toBe(0)
})

it('EMFILE: what cannot be accepted is an error of the listener', async () => {
  const server = createServer(listenerOptions)
  await listen(server, '127.0.0.1', 0)
  onTestFinished(() => void server.close())
  acceptTcp(server, () => expect.unreachable())
  const { _handle: handle } = server as unknown as { _handle: { onconnection(code: number): void } }
  setImmediate(() => handle.onconnection(-constants.errno.EMFILE))
  const [error] = (await once(server, 'error')) as [Error]
  expect(error).toMatchObject({ code: 'EMFILE', syscall: 'accept' })
})

it('a listener that is closed accepts nothing more; what it has accepted lives on', async () => {
  const server = createServer(listenerOptions)
  const { port } = await listen(server, '127.0.0.1', 0)
  const accepted = new Promise<TcpConn>((resolve) => acceptTcp(server, resolve))
  const client = connect({ host: '127.0.0.1', port })
  onTestFinished(() => void client.destroy())
  const conn = await accepted
  server.close()
  await once(server, 'close')
  expect(await failureOf(open({ host: '127.0.0.1', port }))).toMatchObject({ code: 'ECONNREFUSED' })
  conn.end('still here')
  expect(String(await drain(client))).toBe('still here')
})

/** Both ends of a connection within one process, which says of what they are and what arrived. */
const program = `
  const { acceptTcp, listen, listenerOptions, openTcp } = await import(process.argv[1])
  const { createServer } = await import('node:net')
  const server = createServer(listenerOptions)
  const { port } = await listen(server, '127.0.0.1', 0)
  acceptTcp(server, (conn) => conn.pipe(conn))
  const failed = (error) => { throw error }
  openTcp({ host: '127.0.0.1', port, localAddress: '127.0.0.9' }, { failed, async connected(conn) {
    conn.end('there and back')
    let text = ''
    for await (const chunk of conn) text += chunk
    console.log(conn.constructor.name + ': ' + text)
    server.close()
  } })
`

it.each([
  ['Node shows it', [], 'TcpSocket'],
  ['Node refuses to show it', ['--pending-deprecation', '--throw-deprecation'], 'Socket'],
  ['Node refuses to show it, in its other spelling', ['--pending_deprecation', '--throw_deprecation'], 'Socket'],
])('where %s', (_what, flags, name) => {
  const io = join(root, 'dist/io/index.js')
  const run = spawnSync(process.execPath, [...flags, '--input-type=module', '-e', program, io], { encoding: 'utf8' })
  expect([run.stdout, run.stderr, run.status]).toEqual([`${name}: there and back\n`, '', 0])
})

it('importing the package asks Node for nothing that it warns of', () => {
  const asked = `
    const { binding } = process
    let asked = 0
    process.binding = (...names) => { asked++; return binding(...names) }
    await import(process.argv[1])
    console.log(asked)`
  for (const entry of ['index.js', 'io/index.js', 'pt/index.js', 'app/index.js', 'parent/index.js']) {
    const args = ['--input-type=module', '-e', asked, join(root, 'dist', entry)]
    expect(spawnSync(process.execPath, args, { encoding: 'utf8' }).stdout).toBe('0\n')
  }
})

it('net.Socket and they are told of the same ends', async () => {
  for (const make of [socketPair, tcpPair]) {
    const [near, far] = await make()
    const heard: string[] = []
    for (const name of ['end', 'finish', 'error', 'close']) near.on(name, () => heard.push(name))
    near.resume()
    far.end()
    await once(near, 'end')
    near.end()
    await once(near, 'close')
    expect(heard).toEqual(['end', 'finish', 'close'])
  }
})
