/** Probes of the traffic between both ends. Section "Workflow". */
import { createHash, randomBytes } from 'node:crypto'
import { formatAddress } from '../../../ipc/index.ts'
import type { Probe } from '../../probe.ts'
import { cannotTell } from '../../probe.ts'
import type { Pair, PtLab } from '../pt-lab.ts'
import type { Role } from '../../verdict.ts'
import type { Wire } from '../../lab/wire.ts'

/** Bytes each way. */
const SIZE = 4 << 20

/** A connection through both ends: a client's side, and what comes out of the server. */
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
    title: 'after a half-close the other direction goes on',
    async run(lab) {
      const { pair, near, far } = await connected(lab)
      near.socket.end('a question')
      const asked = (await far.take(10, 5_000)).toString('latin1')
      const ended = await far.ends(3_000)
      far.socket.end('an answer')
      const answered = (await near.take(9, 3_000)).toString('latin1')
      const seen = `"${asked}"${ended ? ' and its end' : ''}; "${answered}"`
      const sent = 'a question and its end; then an answer'
      lab.judge(answered === 'an answer' && ended, pair[role], 'the question, its end, and the answer', { sent, seen })
    },
  },
]
