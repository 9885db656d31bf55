/**
 * The server. A peer that does not know the password gets no byte, and the moment of the close does not say why: whatever was wrong,
 * the connection is read from, and closed by a FIN at the bridge's own time after it was accepted, as obfs4's servers do it.
 */
import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { uniformDh } from '../../crypto/uniform-dh.ts'
import { PtError } from '../../error.ts'
import type { Cancellation } from '../../io/wait/cancellation.ts'
import { orAborted } from '../../io/wait/deadline.ts'
import { exposureOf } from '../../io/files/private-file.ts'
import { readSome } from '../../io/read.ts'
import type { Replays, Report, Server, ServerOptions, ServerSession } from '../../transport.ts'
import { cancellationOf, handshake } from '../handshake.ts'
import type { BridgeState } from './bridge-state.ts'
import { bridgeStatePath, openBridgeState, saveBridgeState } from './bridge-state.ts'
import { encodeBase32 } from './base32.ts'
import { answerPadding, epochOf, formatHello, seconds } from './hello.ts'
import type { SessionKeys } from './keys.ts'
import { sessionKeys } from './keys.ts'
import { lengthSampler } from './lengths.ts'
import type { Packet } from './packet.ts'
import { packetCodec, packetFlag, packetReader, packetWriter } from './packet.ts'
import { parsePassword, passwordOf } from './password.ts'
import type { SeenFile } from './seen-file.ts'
import { openSeenFile, shownId, ticketHours } from './seen-file.ts'
import type { ClientHello } from './server-hello.ts'
import { helloReader } from './server-hello.ts'
import type { TicketGenerations } from './ticket.ts'
import { masterLength, newTicketKeys, openTicket, rotateTicketKeys, sealTicket } from './ticket.ts'

/** The time for a hello, in seconds; the bridge's own delay comes on top. */
const helloTime = 30

const hour = 3_600_000
/** A hello may be of the hour before or of the hour after, so it can be played back for less than three hours. */
const helloHours = 3

interface Bridge {
  readonly secret: Buffer
  readonly state: Pick<BridgeState, 'seed' | 'closeDelay'>
  /** What this bridge has seen, on its disk. */
  readonly seen: SeenFile
  /** What the PT has seen, in memory or in a table that several machines share. */
  readonly replays: Replays
  readonly sampleLength: () => number
  /** The generations of ticket keys, rotated as the time demands. */
  readonly ticketKeys: () => TicketGenerations
  readonly report: Report
  /** Whether it was said that handshakes cannot be remembered. */
  readonly trouble: { said: boolean }
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** Launches the server. Rejects with PT_ARGS for a malformed `password` and PT_STATE for a state that cannot be read. */
export async function scramblesuitServer(options: ServerOptions, now: () => number = Date.now): Promise<Server> {
  const given = passwordOf(options.args)
  const path = bridgeStatePath(options.stateDir)
  const exposure = await exposureOf(path)
  if (exposure !== undefined) options.log('warning', exposure)
  const state = await openBridgeState(path, seconds(now()))
  let generations = state.ticketKeys
  const bridge: Bridge = {
    secret: given ?? parsePassword(state.password),
    state,
    replays: options.replays,
    seen: await openSeenFile(join(options.stateDir, 'scramblesuit_replays'), epochOf(now()), (message) =>
      options.log('warning', message),
    ),
    sampleLength: lengthSampler(state.seed),
    ticketKeys: () => {
      const rotated = rotateTicketKeys(generations, seconds(now()))
      if (rotated !== generations) {
        generations = rotated
        saveBridgeState(path, { ...state, ticketKeys: rotated }).catch((error: Error) => {
          options.log('warning', `${error.message}: the session tickets of this week end with this process`)
        })
      }
      return rotated
    },
    report: options,
    trouble: { said: false },
    now,
  }
  bridge.ticketKeys()
  const password = given === undefined ? state.password : encodeBase32(given)
  return { args: { password }, accept: async (session) => await accept(bridge, session) }
}

/** A server for rehearsals, with the password `password`: it keeps nothing. */
export function scramblesuitRehearsalServer(password: string): Server {
  const state = { seed: randomBytes(32), closeDelay: 0 }
  const generations: TicketGenerations = [newTicketKeys(seconds(Date.now()))]
  const bridge: Bridge = {
    secret: parsePassword(password),
    state,
    seen: { admit: () => true, admitTicket: () => true, saved: () => Promise.resolve(true) },
    replays: { testAndSet: () => false },
    sampleLength: lengthSampler(state.seed),
    ticketKeys: () => generations,
    report: { log: () => undefined, status: () => undefined },
    trouble: { said: false },
    now: Date.now,
  }
  return { accept: async (session) => await accept(bridge, session) }
}

async function accept(bridge: Bridge, session: ServerSession): Promise<Duplex> {
  const { conn } = session
  const signal = cancellationOf(session)
  const time = helloTime + bridge.state.closeDelay
  const options = {
    timeout: time * 1000,
    signal,
    late: `the client did not authenticate within ${time} s: most likely it is a probe, or has another password`,
    closed: 'the client closed the connection before it had authenticated: most likely it is a probe or a port scan',
  }
  return await handshake(conn, options, async (signal) => {
    const hello = await authenticate(bridge, conn, signal)
    session.log('debug', `a client authenticated by ${'keys' in hello.by ? 'session ticket' : 'password'}`)
    const { keys, answer } = answerTo(bridge, hello)
    const write = packetWriter(keys.toClient, bridge.sampleLength)
    // All goes out in one write: obfs4proxy's client fails if the mark and the MAC of the answer come in two.
    conn.write(Buffer.concat([answer, write(firstPackets(bridge))]))
    return packetCodec(write, packetReader(keys.toServer), () => {
      throw new PtError('PT_FRAME', 'the client sent a packet of a kind that only bridges send')
    })
  })
}

/** Resolves with a hello that is authentic and new. Whatever is wrong, it reads on until the connection ends before it rejects. */
async function authenticate(bridge: Bridge, conn: Duplex, signal: Cancellation): Promise<ClientHello> {
  const hello = await readHello(bridge, conn, signal)
  return typeof hello === 'string' ? await drain(conn, hello, signal) : hello
}

/** A hello, or why there will be none. */
async function readHello(
  bridge: Bridge,
  conn: Duplex,
  signal: Cancellation,
): Promise<ClientHello | keyof typeof reasons> {
  const read = helloReader({
    secret: bridge.secret,
    openTicket: (ticket) => openTicket(bridge.ticketKeys(), ticket, seconds(bridge.now())),
  })
  let held = Buffer.alloc(0)
  for (;;) {
    held = Buffer.concat([held, await readSome(conn, signal)])
    const epoch = epochOf(bridge.now())
    const hello = read(held, epoch)
    if (hello === undefined) continue
    if (typeof hello === 'string') return hello
    // This is done at once, as a stream that has ended in the meantime takes nothing back.
    if (hello.size < held.length) conn.unshift(held.subarray(hello.size))
    return (await isNew(bridge, hello, epoch, signal)) ? hello : 'auth'
  }
}

/**
 * True for one of all connections with this hello, if it holds a key, or this ticket, in whatever hello. Rejects with PT_STATE
 * if a ticket cannot be remembered, as it could be played back after a restart. A UniformDH hello that is played back
 * has keys of its own.
 */
async function isNew(
  { seen, replays, report, trouble }: Bridge,
  { by, mac, epoch }: ClientHello,
  now: number,
  signal: Cancellation,
): Promise<boolean> {
  const byTicket = 'ticket' in by
  const shown = byTicket ? by.ticket : mac
  if (!(byTicket ? seen.admitTicket(by.ticket, now) : seen.admit(mac, epoch, now))) return false
  const known = replays.testAndSet(shownId(shown), (byTicket ? ticketHours : helloHours) * hour)
  if (typeof known === 'boolean' ? known : await orAborted(known, signal)) return false
  try {
    const taken = await seen.saved(shown)
    trouble.said = false
    return taken
  } catch (error) {
    // It is said once until it goes well again: on a full disk each client would cause it.
    const severity = trouble.said ? 'debug' : 'warning'
    report.log(severity, `${(error as Error).message}: a restart forgets which handshakes were seen`)
    trouble.said = true
    if (byTicket) throw error
    return true
  }
}

const reasons = {
  mark: 'sent no mark: most likely it is a probe, or has another password',
  mac: 'sent a wrong MAC: most likely its clock is off by more than an hour, or it is a probe',
  auth: 'repeated a handshake that was seen before: it is a probe',
} as const

/** Discards what comes until the time is over, the client has gone, or the PT ends. */
async function drain(conn: Duplex, stage: keyof typeof reasons, signal: Cancellation): Promise<never> {
  try {
    for (;;) await readSome(conn, signal)
  } catch {
    signal.throwIfAborted()
    throw new PtError('PT_HANDSHAKE', `the client ${reasons[stage]}`, { stage })
  }
}

/** The session's keys and what the client has to be sent before its first packet. */
function answerTo({ secret }: Bridge, { by, epoch }: ClientHello): { keys: SessionKeys; answer: Uint8Array } {
  if ('keys' in by) return { keys: by.keys, answer: new Uint8Array() }
  const pair = uniformDh()
  const master = createHash('sha256').update(pair.secret(by.publicKey)).digest()
  return { keys: sessionKeys(master), answer: formatHello(secret, pair.publicKey, answerPadding(), epoch) }
}

/** A ticket for the client's next connection, and the seed of the distribution that both sides' lengths follow. */
function firstPackets({ state, ticketKeys, now }: Bridge): Packet[] {
  const [newest] = ticketKeys()
  const master = randomBytes(masterLength)
  const ticket = sealTicket(newest, master, seconds(now()))
  return [
    { flags: packetFlag.ticket, payload: Buffer.concat([master, ticket]) },
    { flags: packetFlag.seed, payload: state.seed },
  ]
}
