/** What the tests of one file share: each server, front and client is started when a test first wants it, and ended with the file. */
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import type { TestContext } from 'vitest'
import { afterAll, onTestFinished } from 'vitest'
import { freePort } from '../../support.ts'
import type { Arrival, ClientEnd, ClientProgram, ServerEnd, ServerProgram } from './ends.ts'
import { startClient, startServer } from './ends.ts'
import type { Front, FrontKind } from './fronts.ts'
import { host, secretPath, startFront } from './fronts.ts'

export interface Fleet {
  client(context: TestContext, program: ClientProgram): Promise<ClientEnd>
  server(context: TestContext, program: ServerProgram): Promise<ServerEnd>
  /** In front of the server that `program` is. */
  front(context: TestContext, kind: FrontKind, program: ServerProgram): Promise<Front>
}

/**
 * Makes a fleet for the file that calls it. `use` has the connections of its servers, or else their next() hands them out. `address`
 * is the one of the fronts, in place of loopback.
 */
export function fleetOfFile(use?: (conn: Duplex) => void, address?: string): Fleet {
  const running = new Map<string, Promise<AsyncDisposable>>()
  const ports = new Map<ServerProgram, Promise<number>>()
  const shared = async <T extends AsyncDisposable>(key: string, begin: () => Promise<T>): Promise<T> => {
    const started = running.get(key) ?? begin()
    running.set(key, started)
    // One that could not be started is tried again by the next test.
    started.catch(() => running.delete(key))
    return (await started) as T
  }
  const portOf = async (program: ServerProgram): Promise<number> => {
    const port = ports.get(program) ?? freePort()
    ports.set(program, port)
    return await port
  }
  afterAll(async () => {
    for (const one of [...running.values()].toReversed()) await (await one)[Symbol.asyncDispose]()
  })
  return {
    client: async (context, program) => await shared(`client ${program}`, () => startClient(context, program)),
    server: async (context, program) =>
      await shared(`server ${program}`, async () => {
        const url = `https://${host}${secretPath}`
        return await startServer(context, program, {
          port: await portOf(program),
          url,
          ...(use === undefined ? {} : { use }),
        })
      }),
    front: async (context, kind, program) =>
      await shared(`front ${kind} ${program}`, async () => {
        return await startFront(context, { kind, ptPort: await portOf(program), address })
      }),
  }
}

/** A connection of the client through the front, and its other end. */
export async function connected(
  client: ClientEnd,
  front: Front,
  server: ServerEnd,
): Promise<{ near: Duplex; far: Duplex; arrival: Arrival }> {
  const near = (await client.dial(front.args)).on('error', () => undefined)
  onTestFinished(() => void near.destroy())
  const arrival = await server.next()
  onTestFinished(() => void arrival.conn.destroy())
  return { near, far: arrival.conn, arrival }
}

/** Resolves when nothing more comes from `conn`, in order or by a reset. */
export async function ended(conn: Duplex): Promise<void> {
  conn.resume()
  if (!conn.readableEnded && !conn.destroyed) await Promise.race([once(conn, 'end'), once(conn, 'close')])
}
