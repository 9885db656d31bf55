/** The clients of lyrebird 0.8.1 and webtunnel 0.0.7 with our server. */
import { createHash } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { formatAddress } from 'postern/ipc'
import type { ClientPt, ServerPt } from 'postern/parent'
import { launchClient, launchServer } from 'postern/parent'
import type { TestContext } from 'vitest'
import { expect, onTestFinished, test } from 'vitest'
import { readExactly } from '../../src/io/read.ts'
import { freePort, peer, root, tempDir } from '../support.ts'
import { receive, sendRandom } from '../transports/harness.ts'

const postern = [process.execPath, `${root}dist/cli/main.js`, 'pt']

interface OurServer {
  readonly pt: ServerPt
  /** Where it listens. */
  readonly address: string
  /** The connections that have come through it. */
  readonly conns: Duplex[]
}

async function ourServer(use: (conn: Duplex) => void): Promise<OurServer> {
  const conns: Duplex[] = []
  const address = `127.0.0.1:${await freePort()}`
  const pt = await launchServer({
    exec: postern,
    transports: [
      {
        name: 'webtunnel',
        bindAddress: address,
        options: { url: `http://${address}/secret`, servername: 'a.example' },
      },
    ],
    stateDir: tempDir(),
    restart: false,
    onConnection: ({ conn }) => {
      conns.push(conn.on('error', () => undefined))
      use(conn)
    },
  })
  onTestFinished(async () => void (await pt.stop()))
  return { pt, address, conns }
}

async function lyrebird(context: TestContext): Promise<ClientPt> {
  const pt = await launchClient({
    exec: peer('lyrebird', context),
    transports: ['webtunnel'],
    stateDir: tempDir(),
    restart: false,
  })
  onTestFinished(async () => void (await pt.stop()))
  return pt
}

async function dial(pt: ClientPt, server: OurServer): Promise<Duplex> {
  const { address, args } = server.pt.methods.get('webtunnel')!
  const conn = await pt.connect('webtunnel', formatAddress(address), { args })
  onTestFinished(() => void conn.on('error', () => undefined).destroy())
  return conn
}

test('the SMETHOD line is that of webtunnel-server for the same options', async (context) => {
  const options = { url: 'https://bridge.example/secret', servername: 'a.example', addr: '192.0.2.1:443' }
  const lines = await Promise.all(
    [postern, [peer('webtunnel-server', context)]].map(async (exec) => {
      const transports = [{ name: 'webtunnel', bindAddress: '127.0.0.1:0', options }]
      const pt = await launchServer({
        exec,
        transports,
        stateDir: tempDir(),
        restart: false,
        onConnection: () => undefined,
      })
      onTestFinished(async () => void (await pt.stop()))
      const { address, args } = pt.methods.get('webtunnel')!
      return { address, args: [...args] }
    }),
  )
  expect(lines[0]).toEqual(lines[1])
})

test('lyrebird carries 8 MiB each way to our server, both at once', async (context) => {
  const server = await ourServer(() => undefined)
  const near = await dial(await lyrebird(context), server)
  await expect.poll(() => server.conns.length).toBe(1)
  const far = server.conns[0]!
  const size = 8 * 1024 * 1024
  const received = Promise.all([receive(far, size), receive(near, size)])
  const sent = Promise.all([sendRandom(near, size, { end: false }), sendRandom(far, size, { end: false })])
  expect(await received).toEqual(await sent)
})

test("our server's side is free once its application has ended, although lyrebird never closes", async (context) => {
  const server = await ourServer((conn) => void conn.end('bye'))
  const pt = await lyrebird(context)
  const conns = await Promise.all(Array.from({ length: 5 }, () => dial(pt, server)))
  for (const conn of conns) expect(String(await readExactly(conn, 3))).toBe('bye')
  await expect.poll(() => server.conns.every((conn) => conn.destroyed)).toBe(true)
})

test('a thousand connections of lyrebird at once are served, each with its own bytes', async (context) => {
  const server = await ourServer((conn) => void conn.pipe(conn))
  const pt = await lyrebird(context)
  const texts = Array.from({ length: 1_000 }, (_, at) => createHash('sha256').update(String(at)).digest('hex'))
  const conns: Duplex[] = []
  // lyrebird has one accept queue: so many at a time do not overflow it.
  for (let at = 0; at < texts.length; at += 100) {
    conns.push(...(await Promise.all(texts.slice(at, at + 100).map(() => dial(pt, server)))))
  }
  for (const [at, conn] of conns.entries()) conn.write(texts[at]!)
  const back = await Promise.all(conns.map(async (conn) => String(await readExactly(conn, 64))))
  expect(back).toEqual(texts)
  expect(server.conns).toHaveLength(1_000)
})
