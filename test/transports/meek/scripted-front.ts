/** A front that says what a test wants: it records each request of HTTP/1.1, and answers with bytes. */
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { onTestFinished } from 'vitest'
import { meekClient } from '../../../src/transports/meek/client.ts'
import type { ArgsInit } from '../../../src/ipc/index.ts'
import { Args } from '../../../src/ipc/index.ts'
import type { Client } from '../../../src/transport.ts'
import { clientOptions } from '../../launch-options.ts'
import { serve } from '../../loopback.ts'

export interface Heard {
  /** The request up to its empty line. */
  readonly head: string
  readonly body: Buffer
  readonly id: string
  /** Which connection it came over, from 0 on. */
  readonly connection: number
}

export interface ScriptedFront {
  readonly port: number
  readonly heard: Heard[]
  readonly connections: Socket[]
  /** Resolves with the request of this place in the order of all, as soon as it has come. */
  request(place: number): Promise<Heard>
}

/** `answer` gives what is written; undefined if it writes by itself, or nothing. */
export async function scriptedFront(
  answer: (heard: Heard, conn: Socket, place: number) => string | Buffer | undefined,
): Promise<ScriptedFront> {
  const heard: Heard[] = []
  const connections: Socket[] = []
  const awaited: { readonly place: number; resolve(heard: Heard): void }[] = []
  const { port } = await serve((conn) => {
    const connection = connections.push(conn) - 1
    let held = Buffer.alloc(0)
    conn.once('end', () => conn.end())
    conn.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk])
      for (let end = held.indexOf('\r\n\r\n'); end !== -1; end = held.indexOf('\r\n\r\n')) {
        const head = held.toString('latin1', 0, end + 4)
        const length = Number(/^content-length: (\d+)\r$/im.exec(head)?.[1] ?? 0)
        if (held.length < end + 4 + length) return
        const body = held.subarray(end + 4, end + 4 + length)
        held = held.subarray(end + 4 + length)
        const id = /^x-session-id: (.*)\r$/im.exec(head)?.[1] ?? ''
        const one = { head, body, id, connection }
        const place = heard.push(one) - 1
        for (const wait of awaited) if (wait.place === place) wait.resolve(one)
        const bytes = answer(one, conn, place)
        if (bytes !== undefined) conn.write(bytes)
      }
    })
  })
  const request = (place: number): Promise<Heard> =>
    new Promise((resolve) => {
      const there = heard[place]
      if (there === undefined) awaited.push({ place, resolve })
      else resolve(there)
    })
  return { port, heard, connections, request }
}

/** An answer of a meek server. */
export function ok(body: string | Buffer = '', fields = ''): Buffer {
  const bytes = Buffer.from(body)
  return Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\n${fields}Content-Length: ${bytes.length}\r\n\r\n`), bytes])
}

export interface DialOptions {
  readonly args?: ArgsInit
  readonly client?: Client
  readonly signal?: AbortSignal
  /** What the dial has asked to connect to. */
  readonly targets?: string[]
  /** The port for a target; undefined for one that nobody listens at. */
  readonly portOf?: (target: string) => number | undefined
}

/** Dials by a client of ours. Every target is on loopback. */
export async function dial(port: number, options: DialOptions = {}): Promise<Duplex> {
  const { args = { url: 'http://server.example/' }, targets = [], portOf = () => port } = options
  const client = options.client ?? meekClient(clientOptions({ stateDir: '' }))
  const stream = await client.dial({
    target: '192.0.2.20:80',
    args: Args.from(args),
    signal: options.signal ?? new AbortController().signal,
    log: () => undefined,
    status: () => undefined,
    connect: (target) => {
      targets.push(target)
      return toLoopback(portOf(target))
    },
  })
  onTestFinished(() => void stream.on('error', () => undefined).destroy())
  return stream
}

/** A connection to a port of 127.0.0.1, as `connect` of a session gives it. */
function toLoopback(port: number | undefined): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', syscall: 'connect' })
    if (port === undefined) return reject(refused)
    const conn = connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true })
    conn.once('error', reject).once('connect', () => resolve(conn))
  })
}
