/** One SOCKS conversation over a real or a paired connection, and a reference encoder of what clients send. */
import { once } from 'node:events'
import { isIPv4, isIPv6 } from 'node:net'
import type { Duplex } from 'node:stream'
import { duplexPair } from 'node:stream'
import { onTestFinished } from 'vitest'
import type { AcceptSocksOptions, SocksRequest } from '../../src/socks/index.ts'
import { acceptSocks } from '../../src/socks/index.ts'
import { settle, socketPair } from '../io/streams.ts'

/** Bytes of hex digits; spaces are for the reader. */
export const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

export interface Ends {
  readonly client: Duplex
  readonly server: Duplex
}

/** The two ends of a loopback TCP connection. The client keeps its half open, so a close is the server's doing. */
export async function openSockets(): Promise<Ends> {
  const [client, server] = await socketPair()
  // To listen for errors is the server's own business.
  server.removeAllListeners('error')
  return { client, server }
}

/** The same without a network: chunks arrive exactly as they were written. */
export function openPair(): Ends {
  const [client, server] = duplexPair()
  client.on('error', () => {})
  onTestFinished(() => {
    client.destroy()
    server.destroy()
  })
  return { client, server }
}

export interface Dialogue extends AcceptSocksOptions {
  /** Whether the client ends its half after its last byte; false by default. */
  readonly fin?: boolean
  /** What becomes of a request; by default it is granted, and what follows is echoed until the client's end. */
  readonly answer?: (request: SocksRequest, conn: Duplex) => void
}

export interface Outcome {
  /** All that the client got until the connection was closed. */
  readonly received: Buffer
  readonly request: SocksRequest | undefined
  readonly error: unknown
}

/** Sends `chunks`, each in a turn of its own, to a server that accepts one request, and waits until all is over. */
export async function converse(ends: Ends, chunks: Iterable<Uint8Array>, options: Dialogue = {}): Promise<Outcome> {
  const { client, server } = ends
  const { fin = false, answer = echo, ...accept } = options
  const received: Buffer[] = []
  client.on('data', (chunk: Buffer) => received.push(chunk))
  client.once('end', () => client.end())
  const closed = new Promise((resolve) => server.once('close', resolve))
  const accepted = acceptSocks(server, accept).then(
    (request) => {
      answer(request, server)
      return { request, error: undefined }
    },
    (error: unknown) => ({ request: undefined, error }),
  )
  for (const chunk of chunks) {
    client.write(chunk)
    await settle(1)
  }
  if (fin) client.end()
  const outcome = await accepted
  await closed
  // Bytes that the server has sent are in the client's buffers by now; a pair does not tell its other end of a destroy().
  await settle(1)
  if ('connecting' in client && !client.closed) await once(client, 'close')
  return { received: Buffer.concat(received), ...outcome }
}

function echo(request: SocksRequest, conn: Duplex): void {
  request.grant()
  conn.pipe(conn)
}

/** A request as a client means it. */
export interface Meant {
  readonly host: string
  readonly port: number
  readonly args: Uint8Array
}

const bytes = (...parts: (number | Uint8Array)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'number' ? Uint8Array.of(part) : part)))

const portBytes = (port: number): Buffer => bytes(port >> 8, port & 0xff)

/** Greeting, password message where there are arguments, and request. `cut` is where UNAME ends. */
export function encode5({ host, port, args }: Meant, cut: number = Math.min(args.length, 255)): Buffer[] {
  const uname = args.subarray(0, cut)
  const passwd = cut < args.length ? args.subarray(cut) : Uint8Array.of(0)
  const request = bytes(5, 1, 0, addressOf(host), portBytes(port))
  if (args.length === 0) return [bytes(5, 1, 0), request]
  return [bytes(5, 2, 0, 2), bytes(1, uname.length, uname, passwd.length, passwd), request]
}

/** The request of SOCKS 4, or of 4a where the host is no IPv4 address. */
export function encode4({ host, port, args }: Meant): Buffer {
  const head = bytes(4, 1, portBytes(port))
  if (isIPv4(host)) return bytes(head, Uint8Array.from(host.split('.'), Number), args, 0)
  return bytes(head, 0, 0, 0, 1, args, 0, Buffer.from(host), 0)
}

function addressOf(host: string): Buffer {
  if (isIPv4(host)) return bytes(1, Uint8Array.from(host.split('.'), Number))
  if (!isIPv6(host)) return bytes(3, host.length, Buffer.from(host))
  const [head = '', tail] = host.split('::')
  const groups = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16))
  const left = groups(head)
  const right = groups(tail ?? '')
  const all = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right]
  return bytes(4, Buffer.concat(all.map(portBytes)))
}
