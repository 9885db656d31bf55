/**
 * polling, a transport whose sessions outlive their connections: the client asks again and again over one connection, and over
 * the next one if that breaks. It protects nothing; meek does the same inside of HTTPS requests.
 *
 *     client → server   <session, 16> once on each connection; then each side says one message after the other
 */
import { randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { readExactly } from 'postern/io'
import type { Args, ClientSession, Transport } from 'postern/transport'
import { gone, isFirst, nextMessage, Session } from './polling-session.ts'

const ID_SIZE = 16
/** The time between two questions of a client that has nothing to say, in ms. */
const PAUSE = 20

function idleOf(args: Args): number {
  return Number(args.get('idle') ?? 30_000)
}

/** Asks over one connection after another until the session is over. The first answer has to come before the dial is done. */
async function dial({ target, args, connect, signal }: ClientSession): Promise<Session> {
  const session = new Session(idleOf(args))
  const id = randomBytes(ID_SIZE)
  let conn: Duplex | undefined
  const lose = (): void => {
    conn?.destroy()
    conn = undefined
  }
  const ask = async (signal: AbortSignal): Promise<boolean> => {
    try {
      if (conn === undefined) (conn = await connect(target, signal)).write(id)
      conn.write(session.say())
      return session.hear(await nextMessage(conn, signal))
    } catch (error) {
      lose()
      throw error
    }
  }
  // The signal of the dial aborts with the parent's connection, when the last bytes may still be on their way.
  const over = new AbortController()
  session.on('close', () => over.abort(new Error('the session is over')))
  const poll = async (): Promise<void> => {
    while (!session.destroyed) if (!(await ask(over.signal).catch(() => false))) await pause(PAUSE)
    lose()
  }
  try {
    await ask(signal)
  } catch (error) {
    session.on('error', () => undefined).destroy()
    throw error
  }
  void poll()
  return session
}

export const polling: Transport = {
  name: 'polling',
  checkArguments(args) {
    if (/^[1-9]\d{2,5}$/.test(args.get('idle') ?? '30000')) return []
    return [{ severity: 'error', key: 'idle', message: 'it is no number of milliseconds from 100 to 999999' }]
  },
  client() {
    const sessions = new Set<Session>()
    return {
      async dial(given) {
        const session = await dial(given)
        sessions.add(session.on('close', () => sessions.delete(session)))
        return session
      },
      close: () => sessions.forEach((session) => session.destroy()),
    }
  },
  server({ args, deliver }) {
    const sessions = new Map<string, Session>()
    return {
      args: { idle: String(idleOf(args)) },
      async accept({ conn, signal }) {
        const id = (await readExactly(conn, ID_SIZE, signal)).toString('hex')
        const first = await nextMessage(conn, signal)
        const isNew = !sessions.has(id) && isFirst(first)
        const session = isNew ? new Session(idleOf(args)) : sessions.get(id)
        if (session === undefined) return void conn.end(gone, () => conn.destroy())
        if (isNew)
          sessions.set(
            id,
            session.on('close', () => sessions.delete(id)),
          )
        if (isNew) deliver(session)
        const answer = async (): Promise<void> => {
          for (let heard = first; !session.destroyed; heard = await nextMessage(conn, signal)) {
            session.hear(heard)
            conn.write(session.say())
          }
          conn.end(gone)
        }
        answer().catch(() => conn.destroy())
        return undefined
      },
      close: () => sessions.forEach((session) => session.destroy()),
    }
  },
}

export default polling
