/**
 * What a prober sees of Postern and of obfs4proxy with the same identity, in real time: both processes get the same probes at
 * the same moment, and are compared by bytes, by time and by how the connection ends.
 */
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { ServerPt } from 'postern/parent'
import { launchServer } from 'postern/parent'
import type { TestContext } from 'vitest'
import { describe, expect, onTestFinished, test } from 'vitest'
import { clientHandshake } from '../../src/transports/obfs4/handshake-client.ts'
import { epochHour } from '../../src/transports/obfs4/handshake.ts'
import { closeDelay } from '../../src/transports/obfs4/server-identity.ts'
import { peer, root, tempDir } from '../support.ts'
import { clientPair, identity, identityOptions } from '../transports/obfs4/support.ts'

/** Adds nothing to the 30 s after which both close, so that the test is short. */
const drbgSeed = Buffer.alloc(24, 0x3e)
const closesAfter = 30_000 + 1_000 * closeDelay(drbgSeed)

function hello(hoursAhead = 0): Buffer {
  const hour = epochHour(Date.now()) + hoursAhead
  return clientHandshake({ bridge: identity, pair: clientPair, hour, padding: randomBytes(300) }).hello
}

interface Seen {
  readonly bytes: number
  readonly seconds: number
  readonly end: string
}

/** Sends what a probe consists of, in one write, and says what came of it. */
function probe(port: number, bytes: Buffer): Promise<Seen> {
  const start = performance.now()
  const socket: Socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true })
  let received = 0
  if (bytes.length > 0) socket.write(bytes)
  return new Promise((resolve) => {
    const done = (end: string): void => {
      resolve({ bytes: received, seconds: (performance.now() - start) / 1_000, end })
      socket.destroy()
    }
    socket.on('data', (chunk) => (received += chunk.length))
    socket.on('end', () => done('FIN')).on('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message))
  })
}

/** A handshake that succeeds, so that its hello has been seen. */
async function useUp(port: number, bytes: Buffer): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port })
  socket.write(bytes)
  await new Promise((resolve) => socket.once('data', resolve))
  socket.destroy()
}

async function launch(exec: string | readonly string[]): Promise<number> {
  const options = { ...identityOptions, 'drbg-seed': drbgSeed.toString('hex') }
  const pt: ServerPt = await launchServer({
    exec,
    transports: [{ name: 'obfs4', bindAddress: '127.0.0.1:0', options }],
    stateDir: tempDir(),
    onConnection: () => {},
  })
  onTestFinished(async () => void (await pt.stop()))
  return pt.methods.get('obfs4')!.address.port
}

describe('probes in real time', () => {
  test('Postern and obfs4proxy look alike', async (context: TestContext) => {
    const ports = [
      await launch(peer('obfs4proxy', context)),
      await launch([process.execPath, join(root, 'dist/cli/main.js'), 'pt']),
    ]
    const seenBefore = hello()
    for (const port of ports) await useUp(port, seenBefore)
    const probes = {
      nothing: Buffer.alloc(0),
      'few random bytes': randomBytes(50),
      'more random bytes than a hello has': randomBytes(10_000),
      'a hello that was here before': seenBefore,
      'a hello of two hours ago': hello(-2),
      'a hello with bytes behind it': Buffer.concat([hello(), randomBytes(5)]),
    }
    const kinds = Object.entries(probes)
    const results = await Promise.all(
      kinds.map(async ([kind, bytes]) => ({ kind, seen: await Promise.all(ports.map((port) => probe(port, bytes))) })),
    )
    for (const { kind, seen } of results) {
      for (const { bytes, seconds, end } of seen) {
        expect({ kind, bytes, end }).toEqual({ kind, bytes: 0, end: 'FIN' })
        expect(seconds).toBeGreaterThanOrEqual(closesAfter / 1_000 - 0.01)
        expect(seconds).toBeLessThan(closesAfter / 1_000 + 1)
      }
    }
  })
})
