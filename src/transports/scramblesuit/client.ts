/**
 * The client: it uses a ticket of an earlier connection if it has one, else UniformDH.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import type { UniformDh } from '../../crypto/uniform-dh.ts'
import { uniformDh } from '../../crypto/uniform-dh.ts'
import { PtError } from '../../error.ts'
import type { Cancellation } from '../../io/wait/cancellation.ts'
import { readSome } from '../../io/read.ts'
import type { Codec } from '../../io/carry/codec.ts'
import type { Client, ClientOptions, ClientSession } from '../../transport.ts'
import { cancellationOf, handshake } from '../handshake.ts'
import { epochOf, formatHello, helloPadding, maxHello, readAnswer, seconds } from './hello.ts'
import type { SessionKeys } from './keys.ts'
import { sessionKeys } from './keys.ts'
import { lengthSampler } from './lengths.ts'
import { packetCodec, packetFlag, packetReader, packetWriter } from './packet.ts'
import { requirePassword } from './password.ts'
import type { SessionTicket, TicketStore } from './ticket-store.ts'
import { openTicketStore, parseTicketPayload } from './ticket-store.ts'

const timeout = 60_000
/** How many tickets are kept that could not be sent, and for how long, in seconds: bridges forget theirs after a week. */
const maxUnsent = 100
const unsentLifetime = 3_600
const seedLength = 32

/** Launches the client. Without a state directory that can be written it does without tickets. */
export async function scramblesuitClient(options: ClientOptions, now: () => number = Date.now): Promise<Client> {
  return clientOf(await openTicketStore(options.stateDir, seconds(now())), now)
}

/** A client for rehearsals: it has no tickets and keeps none. */
export function scramblesuitRehearsalClient(): Client {
  return clientOf({ take: () => Promise.resolve(undefined), put: () => Promise.resolve() }, Date.now)
}

function clientOf(store: Tickets['store'], now: () => number): Client {
  const tickets: Tickets = { store, unsent: new Map(), now, troubled: false }
  return { dial: async (session) => await dial(session, tickets), outlastsParent: true }
}

/** A ticket that was taken for a connection which could not be made. */
interface Unsent {
  readonly ticket: SessionTicket
  /** The time up to which it may be used, in seconds since 1970. */
  readonly until: number
}

interface Tickets {
  readonly store: Pick<TicketStore, 'take' | 'put'>
  /** The unsent ticket of each bridge. */
  readonly unsent: Map<string, Unsent>
  /** The clock, in milliseconds since 1970. */
  readonly now: () => number
  /** True if something could not be saved, and that has been logged. */
  troubled: boolean
}

async function dial(session: ClientSession, tickets: Tickets): Promise<Duplex> {
  const { target, args, connect } = session
  const { store, now } = tickets
  const signal = cancellationOf(session)
  const secret = requirePassword(args)
  const unsaved = (error: unknown): void => {
    // It is logged once until saving works again, or each connection would log it while nothing can be written.
    session.log(tickets.troubled ? 'debug' : 'warning', `${(error as Error).message}: a session ticket is not used`)
    tickets.troubled = true
  }
  // This comes before there is a connection, so that no observer sees how long the disk or a key takes.
  const ticket = await takeTicket(target, tickets).catch(unsaved)
  const pair = ticket ? undefined : uniformDh()
  const conn = await connect(target, signal).catch((error: unknown) => {
    if (ticket) keepUnsent(target, ticket, tickets)
    throw error
  })
  return await handshake(conn, { timeout, signal, late, closed, mostPerRead: maxHello }, async (signal) => {
    const keys = ticket
      ? byTicket(conn, ticket, now)
      : await byUniformDh(conn, secret, pair ?? uniformDh(), now, signal)
    const keep = (next: SessionTicket): void => {
      // It is not waited for, as the disk must not hold up the connection.
      store.put(target, next, seconds(now())).then(() => (tickets.troubled = false), unsaved)
    }
    return clientCodec(keys, keep)
  })
}

async function takeTicket(bridge: string, { store, unsent, now }: Tickets): Promise<SessionTicket | undefined> {
  const kept = unsent.get(bridge)
  unsent.delete(bridge)
  if (kept !== undefined && seconds(now()) <= kept.until) return kept.ticket
  return await store.take(bridge, seconds(now()))
}

/** Keeps a ticket in memory, as the store has struck it out and would not give it again. */
function keepUnsent(bridge: string, ticket: SessionTicket, { unsent, now }: Tickets): void {
  const [oldest] = unsent.keys()
  if (unsent.size >= maxUnsent && oldest !== undefined) unsent.delete(oldest)
  unsent.set(bridge, { ticket, until: seconds(now()) + unsentLifetime })
}

const late = `the bridge did not answer within ${timeout / 1000} s: most likely the password is wrong, the clock is off by more than an hour, or it is no scramblesuit bridge`
const closed =
  'the bridge closed the connection before its answer: most likely the password is wrong, the clock is off by more than an hour, or it is no scramblesuit bridge'

async function byUniformDh(
  conn: Duplex,
  secret: Uint8Array,
  pair: UniformDh,
  now: () => number,
  signal: Cancellation,
): Promise<SessionKeys> {
  const epoch = epochOf(now())
  conn.write(formatHello(secret, pair.publicKey, helloPadding(pair.publicKey), epoch))
  let held = Buffer.alloc(0)
  for (;;) {
    held = Buffer.concat([held, await readSome(conn, signal)])
    const answer = readAnswer(secret, held, epoch)
    if (answer === undefined) continue
    if (answer.size < held.length) conn.unshift(held.subarray(answer.size))
    return sessionKeys(createHash('sha256').update(pair.secret(answer.publicKey)).digest())
  }
}

/** Opens a session by a ticket. A bridge does not answer a ticket: if it cannot read it, the connection dies later, and the next is by UniformDH. */
function byTicket(conn: Duplex, { master, ticket }: SessionTicket, now: () => number): SessionKeys {
  const keys = sessionKeys(master)
  conn.write(formatHello(keys.toServer.mac, ticket, helloPadding(ticket), epochOf(now())))
  return keys
}

/**
 * The client's half of a session; `keep` is given the ticket for the next one. A bridge sends one ticket and one seed. What it sends
 * beyond that is not looked at: a hostile one could otherwise keep the disk and the event loop busy with them.
 */
function clientCodec(keys: SessionKeys, keep: (ticket: SessionTicket) => void): Codec {
  let sampleLength = lengthSampler(randomBytes(seedLength))
  let [hasTicket, hasSeed] = [false, false]
  const write = packetWriter(keys.toServer, () => sampleLength())
  return packetCodec(write, packetReader(keys.toClient), ({ flags, payload }) => {
    const ticket = flags === packetFlag.ticket ? parseTicketPayload(payload) : undefined
    if (ticket !== undefined) {
      if (!hasTicket) keep(ticket)
      hasTicket = true
      return
    }
    if (flags !== packetFlag.seed || payload.length !== seedLength) {
      throw new PtError('PT_FRAME', 'the bridge sent a packet of an unknown kind or a wrong length')
    }
    if (!hasSeed) sampleLength = lengthSampler(payload)
    hasSeed = true
  })
}
