/** For tests of ways out: ports that say nothing, errors as careless programs print them, connections that are being made. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { inspect } from 'node:util'
import type { ProxyProtocol, ProxyUri } from 'postern/ipc'
import { onTestFinished } from 'vitest'

export const forever: AbortSignal = new AbortController().signal

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
