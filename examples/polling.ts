/**
 * polling, a transport whose sessions outlive their connections: the client asks again and again, over a new connection each time.
 * It protects nothing; meek does the same inside of HTTPS requests.
 *
 *     client → server   <session, 16> <message>            message   <number, 4> <flags, 1> <length, 2> <payload>
 *     client ← server   <message of the same number>       kept until the next question, as this one may be repeated
 */
import { randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { duplexPair } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { PtError } from 'postern'
import { readExactly, readMessage } from 'postern/io'
import type { Args, Cancellation, ClientSession, Transport } from 'postern/transport'

const [ID, HEAD, MOST] = [16, 7, 65_535]
/** The flags: the sender has said its last byte; it takes no bytes now. */
const [END, FULL] = [1, 2]
/** The time between two questions if there is nothing to carry, in ms. */
const PAUSE = 20

const numberOf = (message: Buffer): number => message.readUInt32BE()
const has = (message: Buffer, flag: number): boolean => (message.readUInt8(4) & flag) > 0
const readNext = (conn: Duplex, signal: Cancellation): Promise<Buffer> =>
  readMessage(conn, (held) => (held.length < HEAD ? undefined : HEAD + held.readUInt16BE(5)), signal)

/** One end of a session: the stream of the application, and messages in place of its bytes. */
class Session {
  readonly app: Duplex
  readonly over = new AbortController()
  readonly #far: Duplex
  readonly #idle: NodeJS.Timeout
  #otherIsFull = false
  said: Buffer = Buffer.alloc(HEAD)

  /** Without a message from the other end it fails after the argument `idle`, in ms. */
  constructor(id: string, args: Args, sessions: Map<string, Session>) {
    ;[this.app, this.#far] = duplexPair()
    sessions.set(id, this)
    this.over.signal.addEventListener('abort', () => sessions.delete(id) && clearTimeout(this.#idle))
    this.#far.on('error', () => this.fail('the other end goes on after its end'))
    this.app.on('error', () => undefined)
    this.app.on('close', () => !(this.app.readableEnded && this.app.writableFinished) && this.over.abort())
    this.#idle = setTimeout(() => this.fail('the other end has gone'), Number(args.get('idle') ?? 30_000))
  }

  fail(why: string): void {
    this.app.destroy(new PtError('PT_CLOSED', why))
    this.over.abort()
  }

  /** Makes the next message. */
  say(): Buffer {
    const wanted = this.#otherIsFull ? 0 : Math.min(MOST, this.#far.readableLength)
    const payload = (this.#far.read(wanted) as Buffer | null) ?? Buffer.alloc(0)
    const head = Buffer.alloc(HEAD)
    head.writeUInt32BE((numberOf(this.said) + 1) >>> 0)
    head.writeUInt8((this.#far.readableEnded ? END : 0) + (this.#far.writableLength > MOST ? FULL : 0), 4)
    head.writeUInt16BE(payload.length, 5)
    return (this.said = Buffer.concat([head, payload]))
  }

  /** Takes a message of the other end, which has ours. True if more should be said at once. */
  hear(message: Buffer): boolean {
    if (!this.over.signal.aborted) this.#idle.refresh()
    this.#otherIsFull = has(message, FULL)
    if (message.length > HEAD) this.#far.write(message.subarray(HEAD))
    if (has(message, END)) this.#far.end()
    if (has(message, END) && has(this.said, END)) this.over.abort()
    return message.length > HEAD || (this.#far.readableLength > 0 && !this.#otherIsFull)
  }
}

async function dial({ target, args, connect, signal }: ClientSession, sessions: Map<string, Session>): Promise<Duplex> {
  const id = randomBytes(ID)
  const session = new Session(id.toString('hex'), args, sessions)
  const ask = async (question: Buffer, until: Cancellation): Promise<boolean> => {
    const conn = await connect(target, until)
    try {
      conn.write(Buffer.concat([id, question]))
      const answer = await readNext(conn, until)
      if (numberOf(answer) !== numberOf(question)) session.fail('the other end does not know the session')
      return session.hear(answer)
    } finally {
      conn.destroy()
    }
  }
  const poll = async (): Promise<void> => {
    let question = session.say()
    while (!session.over.signal.aborted) {
      // What is not answered is asked again.
      const more = await ask(question, session.over.signal).catch(() => undefined)
      if (more !== undefined) question = session.say()
      if (more !== true) await pause(PAUSE)
    }
  }
  const first = ask(session.say(), signal)
  void first.then(poll, () => session.app.destroy())
  await first
  return session.app
}

export const polling: Transport = {
  name: 'polling',
  checkArguments(args) {
    if (/^[1-9]\d{2,5}$/.test(args.get('idle') ?? '30000')) return []
    return [{ severity: 'error', key: 'idle', message: 'it is no number of milliseconds from 100 to 999999' }]
  },
  client() {
    const sessions = new Map<string, Session>()
    return {
      dial: (given) => dial(given, sessions),
      close: () => sessions.forEach(({ app }) => app.destroy()),
    }
  },
  server({ args, deliver }) {
    const sessions = new Map<string, Session>()
    return {
      args: { idle: args.get('idle') ?? '30000' },
      async accept({ conn, signal }) {
        const id = (await readExactly(conn, ID, signal)).toString('hex')
        const question = await readNext(conn, signal)
        const isNew = !sessions.has(id) && numberOf(question) === 1
        const session = isNew ? new Session(id, args, sessions) : sessions.get(id)
        if (isNew) deliver(session!.app)
        const isNext = session !== undefined && numberOf(question) === (numberOf(session.said) + 1) >>> 0
        if (isNext) session.hear(question)
        if (isNext) session.say()
        conn.end(session?.said ?? Buffer.alloc(HEAD), () => conn.destroy())
        return undefined
      },
      close: () => sessions.forEach(({ app }) => app.destroy()),
    }
  },
}

export default polling
