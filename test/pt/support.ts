/** What the tests of the PT process share: reporters that remember, raw SOCKS, applications, transports with a mind of their own. */
import { once } from 'node:events'
import type { AddressInfo, Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { framed, readExactly } from 'postern/io'
import type { Message } from 'postern/ipc'
import { parseMessage } from 'postern/ipc'
import type { Client, Codec, Server as TransportServer, Transport } from 'postern/transport'
import { onTestFinished } from 'vitest'
import type { LineOutput } from '../../src/pt/line-output.ts'
import type { Reporter, ReportOptions } from '../../src/pt/report.ts'
import { createReporter } from '../../src/pt/report.ts'

/** A reporter that keeps its lines. */
export function recorder(options: ReportOptions = {}): { reporter: Reporter; lines: string[]; messages(): Message[] } {
  const lines: string[] = []
  const output: LineOutput = {
    unread: false,
    write: (line) => void lines.push(line.trimEnd()),
    release: () => undefined,
    close: () => Promise.resolve(),
  }
  return { reporter: createReporter(output, options), lines, messages: () => lines.map((line) => parseMessage(line)) }
}

/** A line without PORT, the port of the parent's connection, which differs from run to run. */
export function withoutPort(line: string | undefined): string | undefined {
  return line?.replace(/ PORT=\d+/, '')
}

/** A listener on a free port of loopback that is gone, with its connections, when the test has finished. */
export async function application(serve: (conn: Socket) => void): Promise<{ port: number; address: string }> {
  const server = createServer({ allowHalfOpen: true }, (conn) => {
    conns.add(conn)
    conn.on('error', () => undefined).once('close', () => conns.delete(conn))
    serve(conn)
  })
  const conns = new Set<Socket>()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const conn of conns) conn.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { port, address: `127.0.0.1:${port}` }
}

/** An application that sends back what it gets, and ends when its client does. */
export function echo(): Promise<{ port: number; address: string }> {
  return application((conn) => void conn.pipe(conn))
}

/** A connection from loopback that is closed when the test has finished. */
export async function open(port: number): Promise<Socket> {
  const conn = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
  conn.on('error', () => undefined)
  onTestFinished(() => void conn.destroy())
  await once(conn, 'connect')
  return conn
}

/** A SOCKS 5 request for an IPv4 target with arguments in UNAME, all messages in one. */
export function socksRequest(target: string, args: string): Buffer {
  const [host = '', port = ''] = target.split(':')
  const uname = Buffer.from(args)
  return Buffer.concat([
    Buffer.of(5, 1, 2, 1, uname.length),
    uname,
    Buffer.of(1, 0, 5, 1, 0, 1, ...host.split('.').map(Number), Number(port) >> 8, Number(port) & 255),
  ])
}

/** Asks for `target` and reads both answers; returns the connection and the reply code. */
export async function socks(port: number, target: string, args = 'N=13'): Promise<{ conn: Socket; reply: number }> {
  const conn = await open(port)
  conn.write(socksRequest(target, args))
  const answer = await readExactly(conn, 14)
  return { conn, reply: answer[5]! }
}

/** Everything until the other side has ended or broken the connection; our own side stays open. */
export function readAll(conn: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    const done = (): void => resolve(text)
    conn.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    conn.once('end', done).once('close', done)
  })
}

/** A transport that changes nothing, but for what `parts` changes. */
export function plain(
  parts: {
    name?: string
    client?: Transport['client']
    dial?: Client['dial']
    server?: Transport['server']
    accept?: TransportServer['accept']
  } = {},
): Transport {
  const same: Codec = { encode: (bytes) => bytes, decode: (bytes) => [bytes] }
  const dial: Client['dial'] = async ({ target, connect, signal }) => framed(await connect(target, signal), same)
  return {
    name: parts.name ?? 'plain',
    client: parts.client ?? (() => ({ dial: parts.dial ?? dial })),
    server: parts.server ?? (() => ({ accept: parts.accept ?? (({ conn }) => Promise.resolve(framed(conn, same))) })),
  }
}

/** The listeners of what was launched. They are closed when the test has finished. */
export function closing(launched: readonly { readonly listener: Server }[]): Server[] {
  const listeners = launched.map(({ listener }) => listener)
  onTestFinished(() => listeners.forEach((listener) => listener.close()))
  return listeners
}

export function portOf(listener: Server | undefined): number {
  return (listener!.address() as AddressInfo).port
}
