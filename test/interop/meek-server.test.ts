/** Clients of meek that others wrote, and ours, with our server: bytes each way, and how their sessions end. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readExactly } from 'postern/io'
import { describe, expect, onTestFinished, test } from 'vitest'
import { long } from '../support.ts'
import { goPeers } from './go-peers.ts'
import type { MeekClient, Way } from './meek-pair.ts'
import { caddy, meekPair, nginx } from './meek-pair.ts'

const SIZE = long ? 8 << 20 : 1 << 20

// lyrebird offers HTTP/2 unless it is told not to, and obfs4proxy never does.
const ways: readonly Way[] = [
  { name: 'HTTP' },
  { name: 'HTTPS', isSecure: true },
  ...(long ? [{ name: 'HTTPS without ALPN', isSecure: true, args: { utls: 'none' } }] : []),
  { name: 'nginx', front: nginx },
  ...(long ? [{ name: 'Caddy', front: caddy }] : []),
]
const clients: readonly MeekClient[] = [...goPeers, ...(long ? (['postern'] as const) : [])]

describe.each(clients)("%s's client", (program) => {
  describe.each(ways)('by $name', (way) => {
    test('carries bytes each way at once', async (context) => {
      const { near, far } = await meekPair(context, program, way)
      const [up, down] = [randomBytes(SIZE), randomBytes(SIZE)]
      near.write(up)
      far.write(down)
      const [heard, got] = await Promise.all([readExactly(far, SIZE), readExactly(near, SIZE)])
      expect([heard.equals(up), got.equals(down)]).toEqual([true, true])
    })

    test("gets the last bytes of the server's application, and its end within a poll", async (context) => {
      const { near, far } = await meekPair(context, program, way)
      far.end('last')
      expect(String(await readExactly(near, 4))).toBe('last')
      // lyrebird leaves its application's connection open until something is written to it.
      const asks = setInterval(() => near.write('?'), 200)
      onTestFinished(() => clearInterval(asks))
      await new Promise((resolve) => near.on('end', resolve).on('close', resolve).resume())
    })
  })
})

describe('the application of a client', () => {
  test('that closes ends its session, as obfs4proxy then asks for nothing more', async (context) => {
    const { near, far } = await meekPair(context, 'obfs4proxy', ways[0]!)
    near.write('bye')
    expect(String(await readExactly(far, 3))).toBe('bye')
    near.destroy()
    await once(far.resume(), 'end')
  })
})
