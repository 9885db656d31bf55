/** C tor through webtunnel in a private network, each pair of programs behind a web server. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'vitest'
import { afterAll, expect, test } from 'vitest'
import { ownPt } from '../../bridges/bridges.ts'
import { freePort, peer } from '../../support.ts'
import type { PairOptions, TorNetwork } from '../tor-network.ts'
import { fetchThrough, startTorNetwork } from '../tor-network.ts'
import type { Front, FrontKind } from './fronts.ts'
import { pin, startFront } from './fronts.ts'

const BOOTSTRAP = 600_000

interface Plan {
  readonly name: string
  readonly front: FrontKind
  readonly client: 'postern' | 'lyrebird'
  readonly server: 'postern' | 'webtunnel-server'
}

const plans: readonly Plan[] = [
  { name: 'ours', front: 'nginx', client: 'postern', server: 'postern' },
  { name: 'theirclient', front: 'caddy', client: 'lyrebird', server: 'postern' },
  { name: 'theirserver', front: 'haproxy', client: 'postern', server: 'webtunnel-server' },
]

const dir = mkdtempSync(join(tmpdir(), 'postern-tor-'))
const fronts: Front[] = []
let network: Promise<TorNetwork> | undefined

afterAll(async () => {
  await (await network)?.[Symbol.asyncDispose]()
  for (const front of fronts) await front[Symbol.asyncDispose]()
  rmSync(dir, { recursive: true, force: true })
})

async function start(context: TestContext): Promise<TorNetwork> {
  const command = (program: string): readonly string[] =>
    program === 'postern' ? ownPt : [peer(program as 'lyrebird', context)]
  const pairs: PairOptions[] = []
  for (const { name, front: kind, client, server } of plans) {
    const port = await freePort()
    const front = await startFront(context, { kind, ptPort: port })
    fronts.push(front)
    pairs.push({
      name,
      transport: 'webtunnel',
      clientExec: command(client),
      serverExec: command(server),
      serverOptions: `url=${front.url}`,
      port,
      // The pin takes the place of a root, which tor has no way to hand to a PT.
      bridgeArgs: () => `url=${front.url} addr=${front.args.addr} cert=${pin} ver=0.0.7`,
    })
  }
  return await startTorNetwork({ tor: peer('tor', context), torGencert: peer('tor-gencert', context), dir, pairs })
}

test.for(plans)(
  'FLOW-6: tor bootstraps and fetches 2 MiB through $front, from the client of $client to the server of $server',
  { timeout: BOOTSTRAP },
  async ({ name }, context) => {
    const curl = peer('curl', context)
    network ??= start(context)
    const { client, bridge } = (await network).pairs.get(name)!
    const body = randomBytes(2 << 20)
    expect((await fetchThrough(client, curl, body)).equals(body)).toBe(true)
    expect(bridge.log.join('\n')).not.toMatch(/empty port in ExtORPort|Unable to parse/)
  },
)
