/** A meek server on loopback, and requests that are written byte by byte. */
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { readExactly, readUntil } from 'postern/io'
import { onTestFinished } from 'vitest'
import type { ArgsInit } from '../../../src/ipc/index.ts'
import { Args } from '../../../src/ipc/index.ts'
import { createConnections } from '../../../src/sessions/connections.ts'
import { Ports } from '../../../src/sessions/ports.ts'
import type { TransportServer } from '../../../src/sessions/serve-transport.ts'
import { serveTransport } from '../../../src/sessions/serve-transport.ts'
import type { Incoming } from '../../../src/sessions/service.ts'
import { meek } from '../../../src/transports/meek/index.ts'
import type { ServerLimits } from '../../../src/transports/meek/server-limits.ts'
import { meekServer } from '../../../src/transports/meek/server.ts'
import { open } from '../../pt/support.ts'
import { tempDir } from '../../support.ts'

export interface Served extends TransportServer {
  readonly port: number
  /** The sessions that came and were not taken yet. */
  readonly came: Incoming[]
  /** The next session. */
  next(): Promise<Incoming>
  readonly said: string[]
}

/** Serves until the test has finished, and gives its sessions to the test. `hold` is for bodies with bytes too, unless the test says otherwise. */
export async function serveMeek(limits: Partial<ServerLimits> = {}, args: ArgsInit = []): Promise<Served> {
  const said: string[] = []
  const withHold = limits.hold === undefined ? {} : { holdBody: limits.hold }
  const report = { log: (severity: string, text: string) => void said.push(`${severity}: ${text}`), status: () => {} }
  const came: Incoming[] = []
  let wake = (): void => undefined
  const server = await serveTransport({
    transport: { ...meek, server: (options) => meekServer(options, { ...withHold, ...limits }) },
    args: Args.from(args),
    bindAddress: { host: '127.0.0.1', port: 0 },
    stateDir: tempDir(),
    report,
    ports: new Ports(createConnections(), report),
    onConnection(incoming) {
      came.push(incoming)
      wake()
    },
  })
  onTestFinished(() => server.close())
  const next = async (): Promise<Incoming> => {
    while (came.length === 0) await new Promise<void>((resolve) => (wake = resolve))
    return came.shift()!
  }
  return { ...server, port: server.boundAddress.port, came, next, said }
}

export const ID = '0123456789abcdef0123456789abcdef'

/** A request as obfs4proxy and lyrebird write it. */
export function poll(body: Uint8Array | string = '', id: string = ID, more: string = ''): Buffer {
  const bytes = Buffer.from(body)
  return Buffer.concat([
    Buffer.from(
      `POST / HTTP/1.1\r\nHost: meek.example\r\nContent-Length: ${bytes.length}\r\nX-Session-Id: ${id}\r\n${more}Accept-Encoding: gzip\r\n\r\n`,
      'latin1',
    ),
    bytes,
  ])
}

export interface Heard {
  readonly status: number
  readonly head: string
  readonly body: Buffer
}

/** The next answer on a connection. */
export async function heard(conn: Duplex): Promise<Heard> {
  const head = (await readUntil(conn, Buffer.from('\r\n\r\n'), 16_384)).toString('latin1')
  const length = Number(/^Content-Length: (\d+)\r$/im.exec(head)?.[1] ?? 0)
  return {
    status: Number(head.split(' ')[1]),
    head,
    body: length > 0 ? await readExactly(conn, length) : Buffer.alloc(0),
  }
}

export async function ask(conn: Socket, request: Uint8Array): Promise<Heard> {
  conn.write(request)
  return await heard(conn)
}

/** One request over a connection of its own. */
export async function askAlone(port: number, request: Uint8Array): Promise<Heard> {
  const conn = await open(port)
  try {
    return await ask(conn, request)
  } finally {
    conn.destroy()
  }
}

/** Asks until so many bytes have come. */
export async function collect(conn: Socket, length: number, id: string = ID): Promise<Buffer> {
  const pieces: Buffer[] = []
  for (let come = 0; come < length; come += pieces.at(-1)!.length) pieces.push((await ask(conn, poll('', id))).body)
  return Buffer.concat(pieces)
}
