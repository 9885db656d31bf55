/** Both ends of meek in the suite that we hand to others. */
import { transportCases } from 'postern/testing'
import { test } from 'vitest'
import { Args } from '../../../src/ipc/index.ts'
import type { Client, Transport } from '../../../src/transport.ts'
import { meek } from '../../../src/transports/meek/index.ts'
import { meekServer } from '../../../src/transports/meek/server.ts'

/** Its bridge line names the url of the server, which the suite starts at a port of the system's choice. */
const ofTheSuite: Transport = {
  ...meek,
  async client(options): Promise<Client> {
    const client = await meek.client(options)
    const dial: Client['dial'] = (session) => {
      const args = session.args.has('url') ? session.args : Args.from({ url: `http://${session.target}/` })
      return client.dial({ ...session, args })
    }
    return { dial, close: () => client.close?.() }
  },
  server: (options) => meekServer(options, { noRequestFor: 1_500, firstRequest: 5_000 }),
  checkArguments: (args, role) => (args.has('url') || role === 'server' ? meek.checkArguments!(args, role) : []),
}

const cases = transportCases(ofTheSuite, {
  patience: 20_000,
  outlivesConnections: true,
  badServerOptions: [{ url: 'ftp://x/' }, { trust: 'everybody' }, { 'tls-cert': '/nonexistent' }, { decoy: 'iis' }],
  badClientArgs: [{ url: 'ftp://x/' }, { url: 'https://a.example/', utls: 'netscape' }],
})
// If its connection breaks before it has an answer, our client ends the session: the body may have arrived, and nothing tells it so.
const broken = 'a session goes on over a new connection'
for (const { name, run } of cases.filter(({ name }) => !name.startsWith(broken))) test(name, run)
