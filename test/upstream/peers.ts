/** Servers on loopback for tests of ways out: what connects is recorded, and everything is closed at the end. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { createServer } from 'node:net'
import { inspect } from 'node:util'
import type { ProxyProtocol, ProxyUri } from 'postern/ipc'
import { listen } from 'postern/io'
import { expect, onTestFinished } from 'vitest'
import type { PtError } from '../../src/error.ts'

export interface LoopbackServer {
  readonly port: number
  /** The source address of every connection that was ever accepted. */
  readonly accepted: string[]
  /** Resolves once the other side has closed every one of them; what they still sent is thrown away. */
  allClosed(): Promise<void>
}

export const forever: AbortSignal = new AbortController().signal

/** Listens on `host` (by default 127.0.0.1) until the test has finished. */
export async function serve(handle: (conn: Socket) => unknown, host = '127.0.0.1'): Promise<LoopbackServer> {
  const open = new Map<Socket, Promise<unknown>>()
  const accepted: string[] = []
  const server = createServer({ allowHalfOpen: true }, (conn) => {
    accepted.push(conn.remoteAddress ?? '')
    const left = new Promise((resolve) => conn.once('end', resolve).once('close', resolve))
    open.set(conn, left)
    conn.on('error', () => undefined)
    handle(conn)
  })
  const { port } = await listen(server, host, 0)
  onTestFinished(() => {
    for (const conn of open.keys()) conn.destroy()
    server.close()
  })
  const allClosed = async (): Promise<void> => {
    for (const conn of open.keys()) conn.removeAllListeners('readable').resume()
    await Promise.all(open.values())
  }
  return { port, accepted, allClosed }
}

export function echo(conn: Socket): void {
  conn.pipe(conn)
}

/** A port on which connections are neither accepted nor refused: its process sleeps, and its backlog is full. */
export async function silentPort(connect: (port: number) => Promise<unknown>): Promise<number> {
  const program = `const server = require('node:net').createServer()
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      require('node:fs').writeSync(1, String(server.address().port))
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    })`
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(async () => {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  })
  const [bytes] = (await once(child.stdout, 'data')) as [Buffer]
  const port = Number(bytes)
  // The system completes as many connections as the backlog holds; the first that fails found it full.
  const filled = async (): Promise<boolean> =>
    await connect(port).then(
      () => false,
      () => true,
    )
  while (!(await filled()));
  return port
}

/** Its error; anything else is a failed test. */
export async function failureOf(promise: Promise<unknown>): Promise<PtError> {
  const error = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(Error)
  return error as PtError
}

/** An error with its whole chain of causes, as a careless program would print it. */
export function printed(error: unknown): string {
  // A stack names files and lines of this project, which may look like anything.
  return inspect(error, { depth: 10, showHidden: true }).replace(/\n\s+at .*/g, '')
}

export function proxyAt(protocol: ProxyProtocol, port: number, rest: Partial<ProxyUri> = {}): ProxyUri {
  return { protocol, address: { host: '127.0.0.1', port }, ...rest }
}

/** Resolves once this process waits for no TCP connection any more. */
export async function noneConnecting(): Promise<void> {
  while (process.getActiveResourcesInfo().includes('TCPConnectWrap')) {
    await new Promise((resolve) => setImmediate(resolve))
  }
}
