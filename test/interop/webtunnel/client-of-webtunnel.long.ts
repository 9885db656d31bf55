/**
 * The client of webtunnel itself, which connects to no address of loopback: all of this runs in a network namespace of its own, in which
 * loopback has an address of documentation. Caddy runs there with what is printed as it stands, its port for administrators included.
 */
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { insideNamespace, runInside } from '../../long/namespace.ts'
import { exchange } from '../traffic.ts'
import { connected, ended, fleetOfFile } from './fleet.ts'
import type { FrontKind } from './fronts.ts'
import { frontKinds } from './fronts.ts'

const LIMIT = 240_000

test.skipIf(insideNamespace)(
  'the tests of this file pass in a network namespace of their own',
  { timeout: LIMIT },
  async (context) => await runInside(import.meta.url, context),
)

const address = '198.51.100.7'

if (insideNamespace) {
  const { status, stderr } = spawnSync('ip', ['address', 'add', `${address}/32`, 'dev', 'lo'], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
}

const fleet = fleetOfFile(undefined, address)

test.runIf(insideNamespace).for<FrontKind>(frontKinds)(
  'through %s, from the client of webtunnel to our server: 8 MiB each way, and ends both ways',
  async (kind, context) => {
    const [client, server, front] = await Promise.all([
      fleet.client(context, 'webtunnel-client'),
      fleet.server(context, 'postern'),
      fleet.front(context, kind, 'postern'),
    ])
    const one = await connected(client, front, server)
    const { sent, received } = await exchange(one.near, one.far, 8)
    expect(received).toEqual(sent)
    one.far.end()
    await ended(one.near)
    const other = await connected(client, front, server)
    other.near.end()
    await ended(other.far)
  },
)
