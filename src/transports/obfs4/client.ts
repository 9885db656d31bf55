/**
 * The client: it dials, shakes hands, and says what it saw if that fails. src/failure.ts has what each stage means.
 */
import type { Duplex } from 'node:stream'
import { isPtError, PtError } from '../../error.ts'
import type { DialStage } from '../../failure.ts'
import { closeAfter } from '../../io/wait/deadline.ts'
import { appended, readSome } from '../../io/read.ts'
import { boundReads } from '../../io/tcp/handshake-reader.ts'
import { framed } from '../../io/carry/framed.ts'
import type { ClientSession } from '../../transport.ts'
import type { ClientArguments, IatMode } from './cert.ts'
import { parseClientArguments } from './cert.ts'
import { obfs4Codec } from './codec.ts'
import {
  clientHandshakeTimeout,
  directionKeysLength,
  maxClientPadding,
  maxHandshakeLength,
  minClientPadding,
  serverHandshakeTimeout,
} from './constants.ts'
import { cancellationOf } from '../handshake.ts'
import type { Machine } from './machine.ts'
import { FrameOpener, FrameSealer } from './frames.ts'
import { epochHour } from './handshake.ts'
import type { ClientProgress } from './handshake-client.ts'
import { clientHandshake } from './handshake-client.ts'
import type { EphemeralPair, KeyPool } from './key-pool.ts'
import type { Shape } from './shape.ts'
import { shapeCache } from './shape.ts'
import { drbgSeedLength } from '../../crypto/siphash-drbg.ts'

/** Why an obfs4 server may say nothing: it drops each hello that it cannot verify, without a word. */
const silence =
  'the cert is wrong, the clock here or at the bridge is off by more than an hour, or this is no obfs4 server'

interface Established {
  readonly keyMaterial: Buffer
}

/** What dials for one launch of the client. */
export function makeDial(machine: Machine, pool: KeyPool): (session: ClientSession) => Promise<Duplex> {
  const shapes = shapeCache(machine)
  return async (session) => {
    const { bridge, iatMode } = parseClientArguments(session.args)
    // This comes before there is a connection, so that no observer sees how long a key takes.
    const pair = await pool.take()
    const conn = await connectOrGiveBack(session, pool, pair)
    try {
      const { keyMaterial } = await shakeHands(session, conn, { bridge, iatMode, pair, pool, machine })
      return framed(conn, clientCodec(keyMaterial, iatMode, shapes, machine))
    } catch (error) {
      conn.destroy()
      throw error
    }
  }
}

async function connectOrGiveBack(session: ClientSession, pool: KeyPool, pair: EphemeralPair): Promise<Duplex> {
  try {
    return await session.connect(session.target, cancellationOf(session))
  } catch (error) {
    pool.giveBack(pair)
    throw error
  }
}

interface Attempt extends ClientArguments {
  readonly pair: EphemeralPair
  readonly pool: KeyPool
  readonly machine: Machine
}

/** Sends the hello and awaits the answer. Bytes after the answer go back into `conn`. */
async function shakeHands(session: ClientSession, conn: Duplex, attempt: Attempt): Promise<Established> {
  const { bridge, pair, pool, machine } = attempt
  const padding = machine.randomBytes(minClientPadding + machine.randomInt(maxClientPadding - minClientPadding + 1))
  const handshake = clientHandshake({ bridge, pair, padding, hour: epochHour(machine.now()) })
  const begin = machine.uptime()
  const limit = closeAfter(conn, clientHandshakeTimeout, 'the obfs4 handshake')
  boundReads(conn, maxHandshakeLength)
  try {
    conn.write(handshake.hello)
    handshake.prepare()
    pool.restock()
    let received: Buffer | undefined
    for (;;) {
      received = appended(received, await readSome(conn, cancellationOf(session)))
      const progress = handshake.read(received)
      if (progress.state === 'failed') throw handshakeFailure(progress)
      if (progress.state === 'more') continue
      if (progress.surplus.length > 0) conn.unshift(progress.surplus)
      return progress
    }
  } catch (error) {
    throw waitFailure(error, machine.uptime() - begin)
  } finally {
    limit.clear()
  }
}

/** The error for an answer that is none. */
function handshakeFailure(progress: Extract<ClientProgress, { state: 'failed' }>): PtError {
  switch (progress.stage) {
    case 'mark':
      return failure('mark', `no mark within ${maxHandshakeLength} bytes: what answers is no obfs4 server`)
    case 'mac':
      return failure('mac', 'the answer has a mark, and a MAC that fits no hour: it was altered on the way')
    case 'hour':
      return failure('hour', wrongHour(progress.hoursAhead))
    case 'auth':
      return failure(
        'auth',
        'AUTH mismatch: what answers knows the cert and does not hold its key; or the bridge runs obfs4proxy older than 0.0.12, with which ' +
          'half of all handshakes fail, and trying again may help',
      )
  }
}

function wrongHour(hoursAhead: number): string {
  const hours = Math.abs(hoursAhead)
  const direction = hoursAhead > 0 ? 'behind' : 'ahead of'
  return `the answer is for another hour: the clock of this machine is ${hours} h ${direction} the bridge’s; set it right`
}

/** The error for a wait that ended without an answer. A hang-up or shutdown of our own side stays what it is. */
function waitFailure(error: unknown, waited: number): unknown {
  if (isPtError(error, 'PT_TIMEOUT')) return failure('timeout', `no answer in time. Most likely ${silence}`, error)
  const { code } = error as NodeJS.ErrnoException
  if (code === 'PT_CLOSED' || code === 'ECONNRESET' || code === 'EPIPE') {
    return failure('closed', whyClosed(waited), error)
  }
  return error
}

/** obfs4 servers close what they cannot verify, but not before the time that a slow client would have. */
function whyClosed(waited: number): string {
  const what = `the connection was closed after ${Math.round(waited / 1_000)} s without an answer`
  if (waited < serverHandshakeTimeout) {
    return `${what}, sooner than an obfs4 server does: it is no obfs4 server, is shutting down, or is blocked`
  }
  return `${what}, as an obfs4 server does that cannot verify a client. Most likely ${silence}`
}

function failure(stage: DialStage, message: string, cause?: unknown): PtError {
  return new PtError('PT_HANDSHAKE', `obfs4 handshake failed: ${message}`, { stage, cause })
}

function clientCodec(
  keyMaterial: Buffer,
  iatMode: IatMode,
  shapes: (seed: Buffer) => Shape,
  machine: Machine,
): ReturnType<typeof obfs4Codec> {
  // Its own shape until the bridge sends its seed, which comes with the answer.
  let shape: Shape | undefined
  const kernel = machine.frameKernel()
  const ownShape = (): Shape => shapes(Buffer.from(machine.randomBytes(drbgSeedLength)))
  return obfs4Codec({
    sealer: new FrameSealer(keyMaterial.subarray(0, directionKeysLength), kernel),
    opener: new FrameOpener(keyMaterial.subarray(directionKeysLength), machine.randomInt, kernel),
    iatMode,
    shape: () => (shape ??= ownShape()),
    onSeed: (seed) => (shape = shapes(seed)),
    machine,
  })
}
