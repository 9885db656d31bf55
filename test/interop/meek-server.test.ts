/** obfs4proxy and lyrebird as clients of the meek server: bytes each way, and how their sessions end. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { readExactly } from 'postern/io'
import { launchClient } from 'postern/parent'
import type { TestContext } from 'vitest'
import { describe, expect, onTestFinished, test } from 'vitest'
import { long, peer, tempDir } from '../support.ts'
import { authority } from '../tls/authority.ts'
import type { Served } from '../transports/meek/served.ts'
import { serveMeek } from '../transports/meek/served.ts'
import type { GoPeer } from './go-peers.ts'
import { goPeers } from './go-peers.ts'

const { root, leaf } = authority(['localhost'], { addresses: ['127.0.0.1'] })
const SIZE = long ? 8 << 20 : 1 << 20

interface Door {
  readonly name: string
  /** Lyrebird offers HTTP/2 unless it is told not to. */
  readonly args: Readonly<Record<string, string>>
  readonly isSecure: boolean
}

const doors: readonly Door[] = [
  { name: 'HTTP', args: {}, isSecure: false },
  { name: 'HTTPS', args: {}, isSecure: true },
  ...(long ? [{ name: 'HTTPS without ALPN', args: { utls: 'none' }, isSecure: true }] : []),
]

interface Pair {
  readonly near: Duplex
  readonly far: Duplex
  readonly server: Served
}

/** A connection of `program` through meek. */
async function connected(context: TestContext, program: GoPeer, { args, isSecure }: Door): Promise<Pair> {
  const dir = tempDir()
  const [ca, cert, key] = ['ca.pem', 'cert.pem', 'key.pem'].map((name) => join(dir, name)) as [string, string, string]
  writeFileSync(ca, root.pem)
  writeFileSync(cert, leaf.pem)
  writeFileSync(key, leaf.keyPem)
  const server = await serveMeek({ noRequestFor: 8_000 }, isSecure ? { 'tls-cert': cert, 'tls-key': key } : {})
  const pt = await launchClient({
    exec: peer(program, context),
    transports: ['meek_lite'],
    stateDir: dir,
    restart: false,
    env: { PATH: process.env['PATH'] ?? '', SSL_CERT_FILE: ca },
  })
  onTestFinished(async () => void (await pt.stop()))
  const url = `${isSecure ? 'https' : 'http'}://127.0.0.1:${server.port}/`
  const near = await pt.connect('meek_lite', '192.0.2.1:80', { args: { url, ...args } })
  onTestFinished(() => void near.on('error', () => undefined).destroy())
  const { stream } = await server.next()
  return { near, far: stream.on('error', () => undefined), server }
}

describe.each(goPeers)("%s's client", (program) => {
  describe.each(doors)('by $name', (door) => {
    test('carries bytes each way at once', async (context) => {
      const { near, far } = await connected(context, program, door)
      const [up, down] = [randomBytes(SIZE), randomBytes(SIZE)]
      near.write(up)
      far.write(down)
      const [heard, got] = await Promise.all([readExactly(far, SIZE), readExactly(near, SIZE)])
      expect([heard.equals(up), got.equals(down)]).toEqual([true, true])
    })

    test("gets the last bytes of the server's application, and its end within a poll", async (context) => {
      const { near, far } = await connected(context, program, door)
      far.end('last')
      expect(String(await readExactly(near, 4))).toBe('last')
      // lyrebird leaves its application's connection open until something is written to it.
      const asks = setInterval(() => near.write('?'), 200)
      onTestFinished(() => clearInterval(asks))
      await new Promise((resolve) =>
        near
          .on('error', () => undefined)
          .on('close', resolve)
          .resume(),
      )
    })
  })
})

describe('the application of a client', () => {
  test('that closes ends its session, as obfs4proxy then asks for nothing more', async (context) => {
    const { near, far } = await connected(context, 'obfs4proxy', doors[0]!)
    near.write('bye')
    expect(String(await readExactly(far, 3))).toBe('bye')
    near.destroy()
    await once(far.resume(), 'end')
  })
})
