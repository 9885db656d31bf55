/** Programs that speak webtunnel, as PTs that our parents launch: ours, lyrebird's client, and the server of webtunnel itself. */
import { writeFileSync } from 'node:fs'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import type { Address, ArgsInit } from 'postern/ipc'
import type { ClientPt, ServerPt } from 'postern/parent'
import { launchClient, launchServer } from 'postern/parent'
import type { TestContext } from 'vitest'
import { ownPt } from '../../bridges/bridges.ts'
import { peer } from '../../support.ts'
import { rootPem } from './fronts.ts'

export type ClientProgram = 'postern' | 'lyrebird' | 'webtunnel-client'
export type ServerProgram = 'postern' | 'webtunnel-server'

/** The address in a line of webtunnel; no client uses it. */
const madeUpAddress = '[2001:db8::1]:443'

export interface ClientEnd extends AsyncDisposable {
  readonly program: ClientProgram
  dial(args: ArgsInit): Promise<Duplex>
}

export interface Arrival {
  readonly conn: Duplex
  readonly userAddr: Address | undefined
}

export interface ServerEnd extends AsyncDisposable {
  readonly program: ServerProgram
  readonly pt: ServerPt
  /** The next connection that nobody has taken. */
  next(): Promise<Arrival>
}

/** Starts a client that trusts the fronts of this folder. */
export async function startClient(context: TestContext, program: ClientProgram): Promise<ClientEnd> {
  const dir = mkdtempSync(join(tmpdir(), 'postern-webtunnel-'))
  writeFileSync(join(dir, 'root.pem'), rootPem)
  const pt: ClientPt = await launchClient({
    exec: program === 'postern' ? ownPt : peer(program, context),
    transports: ['webtunnel'],
    stateDir: join(dir, 'state'),
    // Both programs read it, and trust nothing else then.
    env: { PATH: process.env['PATH'] ?? '', SSL_CERT_FILE: join(dir, 'root.pem') },
    restart: false,
  })
  return {
    program,
    dial: async (args) => await pt.connect('webtunnel', madeUpAddress, { args }),
    async [Symbol.asyncDispose]() {
      await pt.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** Starts a server on a port, which its fronts know; `use` has the connections, or else next() hands them out. */
export async function startServer(
  context: TestContext,
  program: ServerProgram,
  { port, url, use }: { readonly port: number; readonly url: string; readonly use?: (conn: Duplex) => void },
): Promise<ServerEnd> {
  const dir = mkdtempSync(join(tmpdir(), 'postern-webtunnel-'))
  const arrived: Arrival[] = []
  const waiting: ((arrival: Arrival) => void)[] = []
  const pt = await launchServer({
    exec: program === 'postern' ? ownPt : peer(program, context),
    transports: [{ name: 'webtunnel', bindAddress: `127.0.0.1:${port}`, options: { url } }],
    stateDir: dir,
    restart: false,
    onConnection({ conn, userAddr }) {
      conn.on('error', () => undefined)
      if (use !== undefined) return use(conn)
      const take = waiting.shift()
      if (take === undefined) arrived.push({ conn, userAddr })
      else take({ conn, userAddr })
    },
  })
  return {
    program,
    pt,
    next: async () => arrived.shift() ?? (await new Promise((resolve) => waiting.push(resolve))),
    async [Symbol.asyncDispose]() {
      await pt.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
