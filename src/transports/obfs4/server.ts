/**
 * The server: answers who knows the cert, and is a wall to everybody else.
 *
 *     accept ── hello within 30 s ── answer and first frame
 *       └───── anything else ── no byte; reads on, and closes 30 s and the bridge's own delay after accept
 *
 * All failures look alike and take alike long: what was wrong with a probe is not to be seen from when or how it ends.
 */
import type { Duplex } from 'node:stream'
import { PtError } from '../../error.ts'
import type { ReplayFilter } from '../../crypto/replay-filter.ts'
import { replayFilter } from '../../crypto/replay-filter.ts'
import { closeAfter, framed, appended, readSome } from '../../io/index.ts'
import type { Report, Server, ServerSession } from '../../transport.ts'
import { formatCert } from './cert.ts'
import { obfs4Codec } from './codec.ts'
import { directionKeysLength, maxServerPadding, replayTtl, serverHandshakeTimeout } from './constants.ts'
import { cancellationOf } from '../handshake.ts'
import type { Environment } from './environment.ts'
import { FrameOpener, FrameSealer, packetTypes } from './frames.ts'
import { epochHour } from './handshake.ts'
import type { ServerProgress } from './handshake-server.ts'
import { answerHello, helloReader } from './handshake-server.ts'
import type { EphemeralPair, KeyPool } from './key-pool.ts'
import { closeDelay } from './server-identity.ts'
import type { Shape } from './shape.ts'
import { shapeOf } from './shape.ts'
import type { ServerState } from './state.ts'

const failures: Readonly<Record<'mark' | 'replay' | 'trailing' | 'mac', string>> = {
  mark: 'no mark within 8192 bytes: a scan, or a client with another cert',
  replay: 'a hello that was here before: an observer tries it again',
  trailing: 'bytes behind the hello',
  mac: 'a mark, and a MAC that fits no hour: altered on the way',
}

interface Bridge extends ServerState {
  readonly environment: Environment
  readonly pool: KeyPool
  readonly replays: ReplayFilter
  readonly shape: Shape
}

export function makeServer(state: ServerState, environment: Environment, pool: KeyPool): Server {
  const bridge: Bridge = {
    ...state,
    environment,
    pool,
    replays: replayFilter({ ttl: replayTtl, now: environment.uptime }),
    shape: shapeOf(state.identity.drbgSeed, environment),
  }
  const openFor = serverHandshakeTimeout + closeDelay(state.identity.drbgSeed) * 1_000
  return {
    args: { cert: formatCert(state.identity), 'iat-mode': String(state.iatMode) },
    async accept(session) {
      const end = closeAfter(session.conn, openFor, 'a failed obfs4 handshake')
      try {
        return await establish(bridge, session)
      } catch (error) {
        await readToTheEnd(session)
        throw error
      } finally {
        end.clear()
      }
    },
  }
}

async function establish(bridge: Bridge, session: ServerSession): Promise<Duplex> {
  const { pool } = bridge
  // Before any byte of the peer is read: how long a key takes is nobody's to see.
  const pair = await pool.take()
  let used = false
  try {
    const progress = await readHello(bridge, session)
    used = true
    return answer(bridge, session.conn, pair, progress)
  } finally {
    // A probe has cost no key: it has seen nothing of it.
    if (!used) pool.giveBack(pair)
  }
}

type Done = Extract<ServerProgress, { state: 'done' }>

/** What comes too late is not looked at; that it is, is not to be seen either, so nothing else happens when the time is over. */
async function readHello(bridge: Bridge, session: ServerSession): Promise<Done> {
  const { identity, environment, replays } = bridge
  const latest = environment.uptime() + serverHandshakeTimeout
  const read = helloReader({
    identity,
    hour: () => epochHour(environment.now()),
    isReplay: (mac) => replays.testAndSet(mac),
  })
  let received: Buffer | undefined
  for (;;) {
    received = appended(received, await readSome(session.conn, cancellationOf(session)))
    if (environment.uptime() >= latest) throw new PtError('PT_TIMEOUT', 'the obfs4 handshake came too late')
    const progress = read(received)
    if (progress.state === 'done') return progress
    if (progress.state === 'failed') throw failure(progress, session)
  }
}

function failure(progress: Extract<ServerProgress, { state: 'failed' }>, report: Report): PtError {
  if (progress.stage === 'mac') lookForHour(progress, report)
  const stage = progress.stage === 'mark' || progress.stage === 'mac' ? { stage: progress.stage } : {}
  return new PtError('PT_HANDSHAKE', `obfs4 handshake failed: ${failures[progress.stage]}`, stage)
}

/** In a turn of its own: what it takes to look through days of hours is not to delay anything of this one. */
function lookForHour(progress: Extract<ServerProgress, { stage: 'mac' }>, report: Report): void {
  setImmediate(() => {
    const ahead = progress.hoursAhead()
    if (ahead === undefined) return
    const direction = ahead > 0 ? 'ahead of' : 'behind'
    report.log(
      'info',
      `hour: the clock of a client is ${Math.abs(ahead)} h ${direction} this bridge’s; where all clients fail, it is this one`,
    )
  })
}

/** Sends the answer, with the seed of this bridge's shape as the first frame in the same write. */
function answer(bridge: Bridge, conn: Duplex, pair: EphemeralPair, { hello }: Done): Duplex {
  const { identity, iatMode, environment, pool, shape } = bridge
  const padding = environment.randomBytes(environment.randomInt(maxServerPadding + 1))
  const reply = answerHello({ identity, pair, hello, padding })
  if (reply === undefined) {
    throw new PtError('PT_HANDSHAKE', 'obfs4 handshake failed: the client’s key is of low order', { stage: 'auth' })
  }
  const kernel = environment.frameKernel()
  const sealer = new FrameSealer(reply.keyMaterial.subarray(directionKeysLength), kernel)
  const opener = new FrameOpener(reply.keyMaterial.subarray(0, directionKeysLength), environment.randomInt, kernel)
  conn.write(Buffer.concat([reply.bytes, sealer.seal(packetTypes.seed, identity.drbgSeed, 0)]))
  pool.restock()
  return framed(conn, obfs4Codec({ sealer, opener, iatMode, shape: () => shape, environment }))
}

/** Takes what comes and throws it away, until the connection is closed by its time or its peer, or the PT ends. */
function readToTheEnd(session: ServerSession): Promise<void> {
  const { conn } = session
  const signal = cancellationOf(session)
  return new Promise((resolve) => {
    const stop = (): void => {
      conn.off('end', stop).off('close', stop).off('error', stop)
      signal.removeEventListener('abort', stop)
      resolve()
    }
    if (signal.aborted || conn.destroyed || conn.readableEnded) return resolve()
    conn.on('end', stop).on('close', stop).on('error', stop).resume()
    signal.addEventListener('abort', stop)
  })
}
