/** Probes of the traffic between both ends. Section "Workflow". */
import { createHash, randomBytes } from 'node:crypto'
import { formatAddress } from '../../../ipc/index.ts'
import type { Probe } from '../../probe.ts'
import { cannotTell } from '../../probe.ts'
import type { Pair, PtLab } from '../pt-lab.ts'
import type { Role } from '../../verdict.ts'
import type { Wire } from '../../lab/wire.ts'

/** The number of bytes each way. */
const SIZE = 4 << 20
/** The number of bytes before an end. */
const LAST_SIZE = 256 << 10

/** Opens a connection through both ends: the client's side, and what comes out of the server. */
async function connected(lab: PtLab): Promise<{ pair: Pair; near: Wire; far: Wire }> {
  const app = await lab.listen()
  const pair = await lab.pair({ TOR_PT_ORPORT: formatAddress(app.address) })
  const { wire, granted, seen } = await lab.dial(pair.client, pair.server.method.address, pair.args)
  if (!granted) cannotTell(`the client did not grant the connection: ${seen}`)
  wire.write('!')
  const far = (await app.wire(0, 10_000)) ?? cannotTell('no connection came out of the server')
  await far.take(1, 5_000)
  return { pair, near: wire, far }
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16)
}

export const trafficProbes = (role: Role): readonly Probe<PtLab>[] => [
  {
    ids: ['FLOW-6'],
    role,
    title: 'traffic arrives whole and in order, both ways at once',
    async run(lab) {
      const { pair, near, far } = await connected(lab)
      const [up, down] = [randomBytes(SIZE), randomBytes(SIZE)]
      near.write(up)
      far.write(down)
      const [atFar, atNear] = await Promise.all([far.take(SIZE, 30_000), near.take(SIZE, 30_000)])
      // Bytes that are missing from a connection that lives may still come: slow is not broken.
      for (const [got, sent, wire] of [
        [atFar, up, far],
        [atNear, down, near],
      ] as const) {
        if (got.length < SIZE && got.length > 0 && !wire.ended && sent.subarray(0, got.length).equals(got))
          cannotTell(`${got.length} of ${SIZE} bytes came in 30 s, all as they were sent, and the connection goes on`)
      }
      for (const [way, sent, got] of [
        ['up', up, atFar],
        ['down', down, atNear],
      ] as const) {
        const seen = `${got.length} bytes, SHA-256 ${digest(got)}…`
        const text = `${SIZE} bytes ${way}, SHA-256 ${digest(sent)}…`
        lab.judge(got.equals(sent), role === 'client' ? pair.client : pair.server, 'the same bytes', {
          sent: text,
          seen,
        })
      }
    },
  },
  {
    ids: ['TRAP-11'],
    role,
    title: 'the end of a connection arrives, after all that was sent before it',
    async run(lab) {
      const { pair, near, far } = await connected(lab)
      const bytes = randomBytes(LAST_SIZE)
      near.socket.end(bytes)
      const arrived = await far.take(LAST_SIZE, 10_000)
      const ended = await far.ends(3_000)
      const whole = arrived.equals(bytes)
      const seen = `${arrived.length} bytes${whole ? '' : ', others or too few'}, ${ended ? 'and the end' : 'and no end'}`
      const sent = `${LAST_SIZE} bytes and the end`
      lab.judge(whole && ended, pair[role], 'all bytes, and the end after them', { sent, seen })
    },
  },
]
