/**
 * Runs one scene in a network namespace of its own, with packets of 1,500 bytes as on a line, and prints what the scene returns:
 *
 *     unshare --net node stage.mjs SCENE.mjs JSON
 *
 * A scene is a module with `export async function scene(stage, options)`. ../observer.ts starts it from a test.
 */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { launchClient, launchServer } from '../../../dist/parent/index.js'
import { connectSocks } from '../../../dist/socks/index.js'
import { Capture } from './capture.mjs'

/** What a scene works with. Everything is on 127.0.0.1 and ends with the scene. */
class Stage {
  /** @type {Capture} The packets. */
  capture
  /** Command lines of PTs by name. */
  #programs
  #ends = []
  #dir = mkdtempSync(join(tmpdir(), 'postern-observer-'))

  constructor(capture, programs) {
    this.capture = capture
    this.#programs = programs
    this.atEnd(() => rmSync(this.#dir, { recursive: true, force: true }))
    this.atEnd(() => capture.stop())
  }

  /** `act` is called when the scene is over; what came last ends first. */
  atEnd(act) {
    this.#ends.unshift(act)
  }

  async end() {
    for (const act of this.#ends) await act()
  }

  /** A TCP service; `use` gets each connection, which allows half-closes and whose errors are ignored. Its port. */
  async service(use) {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (conn) => {
      this.atEnd(() => void conn.destroy())
      use(conn.on('error', () => undefined))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    this.atEnd(() => void server.close())
    return server.address().port
  }

  /**
   * Starts `program` as the server of `transport` in front of the service on `orPort`: where clients reach it. `exec` comes before
   * the command line: strace and the like.
   */
  async server(program, transport, orPort, { options, exec = [] } = {}) {
    const pt = await launchServer({
      exec: [...exec, ...this.#programs[program]],
      transports: [{ name: transport, bindAddress: '127.0.0.1:0', options }],
      stateDir: mkdtempSync(join(this.#dir, 'server-')),
      destination: { type: 'orPort', address: { host: '127.0.0.1', port: orPort } },
      restart: false,
    })
    this.atEnd(() => pt.stop())
    const { address, args } = pt.methods.get(transport)
    return { port: address.port, args }
  }

  /** Starts `program` as the client of `transport`; dial() is a connection of its parent. */
  async client(program, transport, { exec = [] } = {}) {
    const pt = await launchClient({
      exec: [...exec, ...this.#programs[program]],
      transports: [transport],
      stateDir: mkdtempSync(join(this.#dir, 'client-')),
      restart: false,
    })
    this.atEnd(() => pt.stop())
    const { address, protocol } = pt.methods.get(transport)
    return {
      port: address.port,
      /** A net.Socket through the transport to `{ port, args }`; rejects if the PT refuses. */
      dial: async ({ port, args }) => {
        const socket = await this.connect(address.port)
        await connectSocks(socket, { version: protocol === 'socks5' ? 5 : 4, target: `127.0.0.1:${port}`, args })
        return socket
      },
    }
  }

  /** A plain connection to a port; its errors are ignored. */
  async connect(port) {
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true })
    this.atEnd(() => void socket.destroy())
    await once(socket, 'connect')
    return socket.on('error', () => undefined)
  }

  /**
   * A relay to `port` that an attacker in the path could be: an end is passed on as it came (FIN as FIN, reset as reset).
   * `change(side, bytes, before)` gives the bytes that go on, `before` being how many came from that side before them.
   */
  async relay(port, change = (_side, bytes) => bytes) {
    return await this.service((client) => {
      const server = connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true }).on(
        'error',
        () => undefined,
      )
      this.atEnd(() => void server.destroy())
      this.#pass('client', client, server, change)
      this.#pass('server', server, client, change)
    })
  }

  #pass(side, from, to, change) {
    let before = 0
    from.on('data', (bytes) => {
      to.write(change(side, bytes, before))
      before += bytes.length
    })
    from.on('end', () => to.end())
    from.on('close', (failed) => {
      if (failed) to.resetAndDestroy()
    })
  }
}

function loopbackLikeALine() {
  // With one segment at a time the packets are those of a line; loopback else shows up to 64 kB in one.
  const line = ['mtu', '1500', 'gso_max_segs', '1']
  const { status, stderr } = spawnSync('ip', ['link', 'set', 'lo', 'up', ...line], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`ip: ${stderr}`)
}

const [path, json] = process.argv.slice(2)
const { programs, options } = JSON.parse(json)
loopbackLikeALine()
const stage = new Stage(await Capture.start(), programs)
let result
try {
  const { scene } = await import(pathToFileURL(path).href)
  result = await scene(stage, options)
} finally {
  await stage.end()
}
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0))
