/** C tor runs our PT at both ends of a private network. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'vitest'
import { afterAll, expect, test } from 'vitest'
import { long, peer, root } from '../support.ts'
import type { Pair, PairOptions, Tor, TorNetwork } from './tor-network.ts'
import { fetchThrough, startTorNetwork } from './tor-network.ts'

/** It takes some 30 s if nothing else runs. What is waited for has limits of its own. */
const BOOTSTRAP = 600_000
const pt = [process.execPath, join(root, 'dist/cli/main.js'), 'pt']
const rotByN = [...pt, '--load', join(root, 'dist/examples/rot-by-n.js')]

const obfs4proxy = ['/usr/bin/obfs4proxy']

/** The arguments that the server's PT wrote down for the operator; ours and obfs4proxy use the same file. */
function certOf(bridge: Tor): string {
  return /cert=.*/.exec(bridge.readFile('pt_state/obfs4_bridgeline.txt'))![0]
}

/** The server of meek is asked at the address that it listens on. */
function urlOf(bridge: Tor): string {
  const [, address] = /Registered server transport 'meek' at '([^']+)'/.exec(bridge.log.join('\n'))!
  return `url=http://${address}/`
}

const pairs: readonly PairOptions[] = [
  {
    name: 'rot',
    transport: 'rot_by_N',
    clientExec: rotByN,
    serverExec: rotByN,
    serverOptions: 'N=7',
    bridgeArgs: () => 'N=7',
  },
  { name: 'ours', transport: 'obfs4', clientExec: pt, serverExec: pt, bridgeArgs: certOf },
  // More pairs are more tors: obfs4proxy and we are tried against each other in other files too, without tor.
  ...(long ? mixedPairs() : []),
]

function mixedPairs(): PairOptions[] {
  return [
    { name: 'theirclient', transport: 'obfs4', clientExec: obfs4proxy, serverExec: pt, bridgeArgs: certOf },
    { name: 'theirserver', transport: 'obfs4', clientExec: pt, serverExec: obfs4proxy, bridgeArgs: certOf },
    { name: 'ourmeek', transport: 'meek', clientExec: pt, serverExec: pt, bridgeArgs: urlOf },
    {
      name: 'theirmeek',
      transport: 'meek',
      clientTransport: 'meek_lite',
      clientExec: obfs4proxy,
      serverExec: pt,
      bridgeArgs: urlOf,
    },
  ]
}

// One network serves all tests of this file, as the bootstrap takes most of the time.
const dir = mkdtempSync(join(tmpdir(), 'postern-tor-'))
let network: Promise<TorNetwork> | undefined

async function pairOf(name: string, context: TestContext): Promise<Pair> {
  if (long) peer('obfs4proxy', context)
  network ??= startTorNetwork({ tor: peer('tor', context), torGencert: peer('tor-gencert', context), dir, pairs })
  return (await network).pairs.get(name)!
}

afterAll(async () => {
  await (await network)?.[Symbol.asyncDispose]()
  rmSync(dir, { recursive: true, force: true })
})

/** The extra-info document of the bridge, by the digest in its own descriptor. */
async function extraInfo({ bridge }: Pair): Promise<string[]> {
  const descriptor = await bridge.control('GETINFO dir/server/authority')
  const digest = /^extra-info-digest (\w+)/.exec(descriptor.find((line) => line.startsWith('extra-info-digest'))!)![1]
  return await bridge.control(`GETINFO extra-info/digest/${digest}`)
}

test(
  'FLOW-1, FLOW-5, FLOW-6, SENV-11, EXT-2: tor bootstraps and fetches 2 MiB through our PT at both ends',
  async (context) => {
    const { client } = await pairOf('rot', context)
    const body = randomBytes(2 << 20)
    expect((await fetchThrough(client, peer('curl', context), body)).equals(body)).toBe(true)
  },
  BOOTSTRAP,
)

test(
  'STATUS-1, SM-3: tor takes our version, and the ARGS of our SMETHOD, into the extra-info document of the bridge',
  async (context) => {
    const lines = await extraInfo(await pairOf('rot', context))
    expect(lines.find((line) => line.startsWith('transport '))).toMatch(/^transport rot_by_N 127\.0\.0\.1:\d+ N=7$/)
    expect(lines.find((line) => line.startsWith('transport-info'))).toMatch(
      /version=\d+\.\d+\.\d+.* implementation=postern/,
    )
  },
  BOOTSTRAP,
)

test(
  'STATUS-1: tor has nothing to say against a STATUS that names a connection by its port, and goes on',
  async (context) => {
    const { client } = await pairOf('rot', context)
    const body = randomBytes(1 << 16)
    expect((await fetchThrough(client, peer('curl', context), body)).equals(body)).toBe(true)
    expect(client.log.join('\n')).not.toMatch(/\bSTATUS\b|[Mm]isbehaving|[Mm]alformed/)
  },
  BOOTSTRAP,
)

for (const [name, ends] of [
  ['ours', 'our obfs4 at both ends'],
  ['theirclient', "obfs4proxy's client and our server"],
  ['theirserver', "our client and obfs4proxy's server"],
  ['ourmeek', 'our meek at both ends'],
  ['theirmeek', "obfs4proxy's meek_lite and our server"],
] as const) {
  if (!pairs.some((pair) => pair.name === name)) continue
  test(
    `FLOW-6: tor bootstraps and fetches 2 MiB through ${ends}`,
    async (context) => {
      const { client } = await pairOf(name, context)
      const body = randomBytes(2 << 20)
      expect((await fetchThrough(client, peer('curl', context), body)).equals(body)).toBe(true)
    },
    BOOTSTRAP,
  )
}
