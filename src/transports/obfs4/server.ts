/**
 * The server: it answers clients that know the cert, and is a wall to everything else.
 *
 *     accept ── hello within 30 s ── answer and first frame
 *       └───── anything else ── no byte; reads on, and closes 30 s and the bridge's own delay after accept
 *
 * All failures look alike and take equally long: when and how a connection ends does not show what was wrong with a probe.
 */
import type { Duplex } from 'node:stream'
import { PtError } from '../../error.ts'
import { closeAfter, orAborted } from '../../io/wait/deadline.ts'
import { appended, readSome } from '../../io/read.ts'
import { framed } from '../../io/carry/framed.ts'
import type { Replays, Report, Server, ServerSession } from '../../transport.ts'
import { formatCert } from './cert.ts'
import { obfs4Codec } from './codec.ts'
import { directionKeysLength, maxServerPadding, replayTtl, serverHandshakeTimeout } from './constants.ts'
import { cancellationOf } from '../handshake.ts'
import type { Machine } from './machine.ts'
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
  trailing: 'bytes after the hello',
  mac: 'a mark, and a MAC that fits no hour: altered on the way',
}

interface Bridge extends ServerState {
  readonly machine: Machine
  readonly pool: KeyPool
  readonly replays: Replays
  readonly shape: Shape
}

export function makeServer(state: ServerState, machine: Machine, pool: KeyPool, replays: Replays): Server {
  const bridge: Bridge = {
    ...state,
    machine,
    pool,
    replays,
    shape: shapeOf(state.identity.drbgSeed, machine),
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
  // The key is taken before any byte of the peer is read, so that the peer cannot see how long that takes.
  const pair = await pool.take()
  let used = false
  try {
    const progress = await readHello(bridge, session)
    used = true
    return answer(bridge, session.conn, pair, progress)
  } finally {
    // A probe has seen nothing of the key, so that the next client may have it.
    if (!used) pool.giveBack(pair)
  }
}

type Done = Extract<ServerProgress, { state: 'done' }>

/**
 * A late hello is ignored, and the connection is not closed early either: a prober must not see that we have noticed. That a hello
 * was here before is asked last of all, so that only clients of this bridge fill the table.
 */
async function readHello(bridge: Bridge, session: ServerSession): Promise<Done> {
  const { identity, machine } = bridge
  const latest = machine.uptime() + serverHandshakeTimeout
  const read = helloReader({ identity, hour: () => epochHour(machine.now()) })
  let received: Buffer | undefined
  for (;;) {
    received = appended(received, await readSome(session.conn, cancellationOf(session)))
    requireInTime(machine, latest)
    const progress = read(received)
    if (progress.state === 'failed') throw failure(progress, session)
    if (progress.state !== 'done') continue
    if (await isReplay(bridge, progress.mac, session)) throw failed('replay')
    requireInTime(machine, latest)
    if (progress.trailing) throw failed('trailing')
    return progress
  }
}

function requireInTime({ uptime }: Machine, latest: number): void {
  if (uptime() >= latest) throw new PtError('PT_TIMEOUT', 'the obfs4 handshake came too late')
}

/** Another process may hold the table. The wait for its answer ends with the connection. */
async function isReplay({ replays }: Bridge, mac: Uint8Array, session: ServerSession): Promise<boolean> {
  const known = replays.testAndSet(mac, replayTtl)
  if (typeof known === 'boolean') return known
  const answer = await orAborted(known, cancellationOf(session))
  if (session.conn.destroyed) throw new PtError('PT_CLOSED', 'the connection was closed during the handshake')
  return answer
}

function failed(stage: 'replay' | 'trailing'): PtError {
  return new PtError('PT_HANDSHAKE', `obfs4 handshake failed: ${failures[stage]}`)
}

function failure(progress: Extract<ServerProgress, { state: 'failed' }>, report: Report): PtError {
  if (progress.stage === 'mac') lookForHour(progress, report)
  const { stage } = progress
  return new PtError('PT_HANDSHAKE', `obfs4 handshake failed: ${failures[stage]}`, { stage })
}

/** The search through days of hours gets a turn of its own, so that it delays nothing of this one. */
function lookForHour(progress: Extract<ServerProgress, { stage: 'mac' }>, report: Report): void {
  setImmediate(() => {
    const ahead = progress.hoursAhead()
    if (ahead === undefined) return
    const direction = ahead > 0 ? 'ahead of' : 'behind'
    report.log(
      'info',
      `hour: the clock of a client is ${Math.abs(ahead)} h ${direction} this bridge’s; if all clients fail, it is this one`,
    )
  })
}

/** Sends the answer, with the seed of this bridge's shape as the first frame in the same write. */
function answer(bridge: Bridge, conn: Duplex, pair: EphemeralPair, { hello }: Done): Duplex {
  const { identity, iatMode, machine, pool, shape } = bridge
  const padding = machine.randomBytes(machine.randomInt(maxServerPadding + 1))
  const reply = answerHello({ identity, pair, hello, padding })
  if (reply === undefined) {
    throw new PtError('PT_HANDSHAKE', 'obfs4 handshake failed: the client’s key is of low order', { stage: 'auth' })
  }
  const kernel = machine.frameKernel()
  const sealer = new FrameSealer(reply.keyMaterial.subarray(directionKeysLength), kernel)
  const opener = new FrameOpener(reply.keyMaterial.subarray(0, directionKeysLength), machine.randomInt, kernel)
  conn.write(Buffer.concat([reply.bytes, sealer.seal(packetTypes.seed, identity.drbgSeed, 0)]))
  pool.restock()
  return framed(conn, obfs4Codec({ sealer, opener, iatMode, shape: () => shape, machine }))
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
