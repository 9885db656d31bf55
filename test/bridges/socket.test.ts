/** What connect() and socket() of a bridge give, used as clients of databases, mail and HTTP use a socket. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer, get } from 'node:http'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Bridge, OpenBridgeOptions } from '../../src/index.ts'
import { openBridge } from '../../src/index.ts'
import { freePort, root } from '../support.ts'
import { ownPt, serve, serveEcho, startBridge, withWrongCert } from './bridges.ts'

const tls = {
  key: readFileSync(`${root}test/fixtures/app/key.pem`),
  cert: readFileSync(`${root}test/fixtures/app/cert.pem`),
}

/** Sends back what it gets, and ends after a full stop. */
async function servePolite(): Promise<number> {
  return await serve(
    createServer((conn) => {
      conn.on('data', (data) => {
        conn.write(data)
        if (data.includes('.')) conn.end()
      })
    }),
  )
}

async function firstData(conn: Readable): Promise<string> {
  const [data] = (await once(conn, 'data')) as [Buffer]
  return data.toString()
}

describe.each<[string, OpenBridgeOptions]>([
  ['in this process', {}],
  ['in a process of its own', { exec: ownPt }],
])('a bridge, with the transport %s', (_, options) => {
  async function bridgeTo(port: number): Promise<Bridge> {
    const bridge = await openBridge(await startBridge(port), options)
    onTestFinished(() => bridge.close())
    return bridge
  }

  test('connect() gives what mail clients configure, and it says when nothing comes', async () => {
    const conn = await (await bridgeTo(await serveEcho())).connect()
    expect(conn.setKeepAlive(true, 1_000).setNoDelay(true).ref().unref().ref()).toBe(conn)
    conn.setTimeout(300)
    let last = Date.now()
    for (const word of ['a', 'b', 'c']) {
      conn.write(word)
      expect(await firstData(conn)).toBe(word)
      last = Date.now()
    }
    await once(conn, 'timeout')
    expect(Date.now() - last).toBeGreaterThan(250)
    // It says so, and closes nothing.
    conn.write('still there')
    expect(await firstData(conn)).toBe('still there')
    const never = (): never => expect.unreachable()
    expect(conn.setTimeout(1, never).setTimeout(0, never)).toBe(conn)
    conn.destroy()
  })

  test('socket() is connected in the manner of pg: configured, connected, told, written to', async () => {
    const socket = (await bridgeTo(await servePolite())).socket()
    expect([socket.connecting, socket.readyState]).toEqual([true, 'opening'])
    socket.setNoDelay(true)
    const called = new Promise<void>((resolve) => void socket.connect(5432, 'db.example', resolve))
    await Promise.all([called, once(socket, 'connect'), once(socket, 'ready')])
    expect([socket.connecting, socket.readyState]).toEqual([false, 'open'])
    socket.setKeepAlive(true, 1_000)
    socket.write('query')
    expect(await firstData(socket)).toBe('query')
    const closed = once(socket, 'close')
    socket.write('terminate.')
    expect(await text(socket)).toBe('terminate.')
    // As a net.Socket it ends its own side then.
    await closed
    expect(socket.readyState).toBe('closed')
  })

  test('what is written before there is a connection waits for it, in order', async () => {
    const socket = (await bridgeTo(await servePolite())).socket()
    socket.write('one ')
    socket.write('two ')
    socket.write('three.')
    expect(await text(socket)).toBe('one two three.')
  })

  test('it is a socket to TLS, before and after it has connected, and to node:http', async () => {
    const secret = createTlsServer(tls, (conn) => conn.end('over TLS'))
    const bridge = await bridgeTo(await serve(secret))
    const early = bridge.socket()
    const trust = { ca: tls.cert, servername: 'bridge.example' }
    expect(await text(connectTls({ ...trust, socket: early }))).toBe('over TLS')
    const late = bridge.socket()
    await once(late, 'connect')
    expect(await text(connectTls({ ...trust, socket: late }))).toBe('over TLS')
    const web = await bridgeTo(await serve(createHttpServer((request, response) => response.end(request.headers.host))))
    const request = get('http://web.example/', { createConnection: () => web.socket() })
    const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream]
    expect(await text(response)).toBe('web.example:80')
  })

  test('a reader that is slow holds the sender up, and all arrives', async () => {
    const megabytes = Buffer.alloc(4 << 20, 'x')
    const socket = (await bridgeTo(await serve(createServer((conn) => conn.end(megabytes))))).socket()
    let length = 0
    for await (const chunk of socket) {
      length += (chunk as Buffer).length
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(length).toBe(megabytes.length)
  })

  test('a bridge that cannot be reached is the error of the socket, and closing the bridge ends it', async () => {
    const line = await startBridge(await serveEcho())
    const dead = line.replace(/ 127\.0\.0\.1:\d+/, ` 127.0.0.1:${await freePort()}`)
    await using nowhere = await openBridge(dead, options)
    const socket = nowhere.socket()
    const [error] = (await once(socket, 'error')) as [Error]
    expect(error).toMatchObject({ stage: 'connect' })
    await using bridge = await openBridge(line, options)
    const open = bridge.socket()
    await once(open, 'connect')
    const closed = once(open, 'close')
    await bridge.close()
    await closed
    expect((await once(bridge.socket(), 'error'))[0]).toMatchObject({ code: 'PT_STOPPED' })
  })

  test('destroyed while it connects, it gives the attempt up', async () => {
    await using bridge = await openBridge(withWrongCert(await startBridge(await serveEcho())), options)
    const socket = bridge.socket()
    socket.write('nobody will read this', () => {})
    const closed = once(socket, 'close')
    socket.destroy()
    await closed
    expect([socket.connecting, socket.readyState]).toEqual([false, 'closed'])
  })

  test('destroySoon() sends what there is, and then closes', async () => {
    let heard = ''
    const served = new Promise<void>((resolve) => {
      const server = createServer((conn) => {
        conn.on('data', (data) => (heard += String(data))).on('end', resolve)
      })
      void serve(server).then(async (port) => {
        const socket = (await bridgeTo(port)).socket()
        socket.write('last words')
        socket.destroySoon()
      })
    })
    await served
    expect(heard).toBe('last words')
  })
})

test.each([
  ['connect()', 'await bridge.connect()'],
  ['socket()', 'bridge.socket(); await once(conn, "connect")'],
])('a connection of %s keeps its process running until unref()', async (_, made) => {
  const line = await startBridge(await serveEcho())
  const folder = join(root, 'dist/test-unref')
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${made.includes('socket') ? 'socket' : 'connect'}.mjs`)
  writeFileSync(
    file,
    `import { once } from 'node:events'
     import { openBridge } from 'postern'
     const bridge = await openBridge(process.argv[2])
     const conn = ${made}
     process.once('beforeExit', () => console.log('idle'))
     console.log('open')
     process.stdin.once('data', () => { conn.unref(); process.stdin.destroy() })`,
  )
  const child = spawn(process.execPath, [file, line], { stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill())
  const exited = once(child, 'exit')
  expect(await firstData(child.stdout)).toBe('open\n')
  child.stdin.write('go\n')
  expect(await firstData(child.stdout)).toBe('idle\n')
  expect((await exited)[0]).toBe(0)
})
