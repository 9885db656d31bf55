/** How clients of the demo come to its PT server: straight, or, with webtunnel, through a web server of this process. */
import { createServer } from 'node:net'
import { listen } from '../../io/tcp/listen.ts'
import type { Address, ArgsInit } from '../../ipc/index.ts'
import { formatAddress } from '../../ipc/index.ts'
import type { ServerMethod } from '../../parent/index.ts'
import { startWebServer } from './tls-server.ts'

export interface Way extends AsyncDisposable {
  /** What is between the two PTs. */
  readonly picture: string
  /** The address at which the PT server listens, and its options. */
  readonly bindAddress: string
  readonly options: ArgsInit
  /** The address at which clients arrive. */
  arrival(method: ServerMethod): Address
  /** What a client dials with, in order to come to `address`. */
  dial(method: ServerMethod, address: Address): { readonly target: string; readonly args: ArgsInit }
}

export async function openWay(transport: string): Promise<Way> {
  return transport === 'webtunnel' ? await throughWebServer() : straight(transport)
}

function straight(transport: string): Way {
  return {
    picture: `══ ${transport} ══ PT server`,
    bindAddress: '127.0.0.1:0',
    options: [],
    arrival: ({ address }) => address,
    dial: ({ args }, address) => ({ target: formatAddress(address), args }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

/** The name of the host, which an observer reads. */
const DEMO_HOST = 'demo.postern.example'

async function throughWebServer(): Promise<Way> {
  const pt: Address = { host: '127.0.0.1', port: await freePort() }
  const web = await startWebServer(pt)
  return {
    picture: '══ TLS ══ web server ── PT server',
    bindAddress: formatAddress(pt),
    options: { url: `https://${DEMO_HOST}:${web.address.port}/the-secret-path-of-the-demo` },
    arrival: () => web.address,
    // The address of a bridge line leads nowhere. `cert` is the pin of a certificate that no authority has signed.
    dial: ({ address, args }, arrival) => ({
      target: formatAddress(address),
      args: [...args, ['addr', formatAddress(arrival)], ['cert', web.pin]],
    }),
    [Symbol.asyncDispose]: () => web[Symbol.asyncDispose](),
  }
}

/** A port that was free a moment ago: SMETHOD of webtunnel names no port of this machine. */
async function freePort(): Promise<number> {
  const server = createServer()
  const { port } = await listen(server, '127.0.0.1', 0)
  await new Promise((resolve) => server.close(resolve))
  return port
}
