/** All TCP packets on the loopback interface of this network namespace, as they are seen. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { Connection, PcapReader } from './packets.mjs'

/** Enough for the headers. */
const CAPTURED = 96
const PATIENCE = 20_000

export class Capture {
  /** @type {Map<string, Connection>} By the ports of the server and of the client. */
  #connections = new Map()
  /** @type {Set<() => void>} */
  #waiting = new Set()
  #tcpdump
  /** @type {import('node:net').Server} */
  #markers

  /** Resolves when packets are seen. */
  static async start() {
    const capture = new Capture()
    await capture.#open()
    return capture
  }

  async #open() {
    const options = [
      '-i',
      'lo',
      '-n',
      '-s',
      `${CAPTURED}`,
      '-B',
      '65536',
      '-U',
      '--immediate-mode',
      '-Z',
      'root',
      '-w',
      '-',
      'tcp',
    ]
    this.#tcpdump = spawn('tcpdump', options, { stdio: ['ignore', 'pipe', 'pipe'] })
    const reader = new PcapReader()
    this.#tcpdump.stdout.on('data', (chunk) => {
      for (const packet of reader.feed(chunk)) this.#sort(packet)
      for (const check of this.#waiting) check()
    })
    let said = ''
    await new Promise((resolve, reject) => {
      this.#tcpdump.once('error', reject)
      this.#tcpdump.once('exit', () => reject(new Error(`tcpdump ended: ${said}`)))
      this.#tcpdump.stderr.on('data', (text) => {
        said += text
        if (said.includes('listening on')) resolve(undefined)
      })
    })
    this.#markers = createServer((socket) =>
      socket
        .end()
        .on('error', () => undefined)
        .resume(),
    ).listen(0, '127.0.0.1')
    await once(this.#markers, 'listening')
  }

  #sort(packet) {
    const down = `${packet.from} ${packet.to}`
    const side = this.#connections.has(down) ? 'server' : 'client'
    const key = side === 'server' ? down : `${packet.to} ${packet.from}`
    // A connection begins with a SYN; what came before the capture is nobody's.
    if (!this.#connections.has(key) && !(packet.syn && !packet.ack)) return
    if (packet.syn && !packet.ack) this.#connections.set(key, new Connection())
    this.#connections.get(key).add(packet, side)
  }

  /** Connections to a port of a server, in the order in which they began. */
  to(port) {
    return [...this.#connections].filter(([key]) => key.startsWith(`${port} `)).map(([, connection]) => connection)
  }

  /** Resolves when `condition` gives something true, with that; it is asked after each packet. */
  async until(condition, what, patience = PATIENCE) {
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => over(() => reject(new Error(`not seen within ${patience} ms: ${what}`))), patience)
      const over = (act) => {
        clearTimeout(timer)
        this.#waiting.delete(check)
        act()
      }
      const check = () => {
        const result = condition()
        if (result) over(() => resolve(result))
      }
      this.#waiting.add(check)
      check()
    })
  }

  /** Resolves when all packets that were sent before this call have been seen. */
  async flush() {
    const { port } = this.#markers.address()
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    const own = socket.localPort
    socket.end().resume()
    await this.until(() => this.#connections.get(`${port} ${own}`)?.ends.length > 0, 'the marker')
  }

  async stop() {
    this.#markers.close()
    const ended = once(this.#tcpdump, 'close')
    this.#tcpdump.removeAllListeners('exit').kill('SIGKILL')
    await ended
  }
}
