/**
 * A small sound transport with a handshake, and the same with one fault each.
 *
 *     client → server   <client nonce, 16>
 *     server → client   <server nonce, 16>   from here on every byte is XORed with one byte made of both
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect as dialDirectly } from 'node:net'
import { dirname, join } from 'node:path'
import { Duplex } from 'node:stream'
import { Args } from 'postern/ipc'
import { framed, readExactly, readSome } from 'postern/io'
import type { Client, ClientSession, Codec, Server, ServerOptions, ServerSession, Transport } from 'postern/transport'

const NONCE_SIZE = 16

function codecOf(...nonces: Buffer[]): Codec {
  const key = Buffer.concat(nonces).reduce((sum, byte) => sum ^ byte, 0x5a)
  const turn = (bytes: Uint8Array): Uint8Array => bytes.map((byte) => byte ^ key)
  return { encode: turn, decode: (chunk) => [turn(chunk)] }
}

/** The parts of the transport, each of which a mutant may replace. */
export interface Parts {
  readonly name?: string
  readonly launchServer?: (options: ServerOptions) => { args: Record<string, string> }
  readonly begin?: (session: ClientSession) => Promise<Duplex>
  /** Gives the server's nonce. */
  readonly greet?: (conn: Duplex, nonce: Buffer, session: ClientSession) => Promise<Buffer>
  /** Gives the client's nonce. */
  readonly hear?: (conn: Duplex, nonce: Buffer, session: ServerSession) => Promise<Buffer>
  readonly codec?: (...nonces: Buffer[]) => Codec
  readonly wrap?: (conn: Duplex, codec: Codec) => Duplex
  /** What the server says of its client. */
  readonly userAddr?: string
  /** The close() of the server. */
  readonly close?: () => void | Promise<void>
  /** What dial() and accept() make of a failure. */
  readonly failed?: (conn: Duplex, error: unknown) => Promise<never>
}

function launchServer({ stateDir, args }: ServerOptions): { args: Record<string, string> } {
  if (args.has('bad')) throw new Error("unknown option 'bad'")
  const file = join(stateDir, 'sound_id')
  if (!existsSync(file)) writeFileSync(file, randomUUID())
  return { args: { id: readFileSync(file, 'utf8') } }
}

async function begin({ args, target, connect, signal }: ClientSession): Promise<Duplex> {
  if (!args.has('id')) throw new Error("missing argument 'id'")
  return await connect(target, signal)
}

export function sound(parts: Parts = {}): Transport {
  const part = { name: 'sound', launchServer, begin, codec: codecOf, wrap: framed, ...parts }
  const failed =
    part.failed ??
    ((conn, error) => {
      conn.destroy()
      throw error
    })
  const greet =
    part.greet ??
    (async (conn, nonce, { signal }) => {
      conn.write(nonce)
      return await readExactly(conn, NONCE_SIZE, signal)
    })
  const hear =
    part.hear ??
    (async (conn, nonce, { signal }) => {
      const heard = await readExactly(conn, NONCE_SIZE, signal)
      conn.write(nonce)
      return heard
    })
  const client: Client = {
    async dial(session) {
      const conn = await part.begin(session)
      const nonce = randomBytes(NONCE_SIZE)
      try {
        return part.wrap(conn, part.codec(nonce, await greet(conn, nonce, session)))
      } catch (error) {
        return await failed(conn, error)
      }
    },
  }
  const server = (options: ServerOptions): Server => ({
    ...part.launchServer(options),
    ...(part.close === undefined ? {} : { close: part.close }),
    async accept(session) {
      const nonce = randomBytes(NONCE_SIZE)
      try {
        const stream = part.wrap(session.conn, part.codec(await hear(session.conn, nonce, session), nonce))
        return part.userAddr === undefined ? stream : { stream, userAddr: part.userAddr }
      } catch (error) {
        return await failed(session.conn, error)
      }
    },
  })
  return { name: part.name, client: () => client, server }
}

/** A stream around `conn` by plain events, as one writes it who has not heard of back-pressure. */
class Naive extends Duplex {
  readonly conn: Duplex
  readonly codec: Codec

  constructor(conn: Duplex, codec: Codec) {
    super({ allowHalfOpen: true })
    this.conn = conn
    this.codec = codec
    conn.on('data', (chunk: Buffer) => {
      for (const payload of codec.decode(chunk)) this.push(payload)
    })
    conn.on('end', () => this.push(null)).on('error', (error) => this.destroy(error))
    conn.on('close', () => this.destroy())
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.conn.write(this.codec.encode(chunk))
    done()
  }

  override _final(done: () => void): void {
    this.conn.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.conn.destroy()
    done(error)
  }
}

class Deaf extends Naive {
  override emit(event: string | symbol, ...args: unknown[]): boolean {
    return event !== 'end' && super.emit(event, ...args)
  }
}

const never = new AbortController().signal

function dropping(codec: Codec, when: (payload: Uint8Array) => boolean): Codec {
  return {
    ...codec,
    decode: (chunk) => [...codec.decode(chunk)].map((payload) => (when(payload) ? payload.subarray(1) : payload)),
  }
}

let handshakes = 0

export interface Mutant {
  /** What is wrong with it. */
  readonly fault: string
  readonly parts: Parts
  /** How the name begins of the case that has to see it, and a part of what that case has to say. */
  readonly caught: string
  readonly says: string
}

export const mutants: readonly Mutant[] = [
  {
    fault: 'never ends to close',
    parts: { close: () => new Promise(() => undefined) },
    caught: 'close() settles',
    says: 'close() has settled',
  },
  {
    fault: 'fails to close',
    parts: { close: () => Promise.reject(new Error('it is stuck')) },
    caught: 'close() settles',
    says: 'it is stuck',
  },
  {
    fault: 'takes a word for its client’s address',
    parts: { userAddr: 'localhost' },
    caught: "what the server says of its client's address",
    says: 'it said what is no address: localhost',
  },
  {
    fault: 'has a name with a dash',
    parts: { name: 'un-sound' },
    caught: 'its name is a C identifier',
    says: 'does not match',
  },
  {
    fault: 'needs an argument that SMETHOD cannot say',
    parts: { launchServer: () => ({ args: { id: 'a b' } }) },
    caught: 'a client with the ARGS of the SMETHOD line',
    says: 'without spaces only',
  },
  {
    fault: 'does not say what its clients need',
    parts: { launchServer: () => ({ args: {} }) },
    caught: 'a client with the ARGS of the SMETHOD line',
    says: "missing argument 'id'",
  },
  {
    fault: 'is another server after each start',
    parts: { launchServer: () => ({ args: { id: randomUUID() } }) },
    caught: 'a server that starts again',
    says: 'the ARGS have changed',
  },
  {
    fault: 'writes beside its state directory',
    parts: {
      launchServer: (options) => {
        mkdirSync(join(dirname(options.stateDir), 'elsewhere'), { recursive: true })
        return launchServer(options)
      },
    },
    caught: 'it writes nothing outside its state directory',
    says: 'something was written beside the state directory',
  },
  {
    fault: 'takes a file name that is not its own',
    parts: {
      launchServer: (options) => {
        writeFileSync(join(options.stateDir, 'keys'), '')
        return launchServer(options)
      },
    },
    caught: 'it writes nothing outside its state directory',
    says: 'keys in the state directory does not begin with sound',
  },
  {
    fault: 'launches with options that it does not know',
    parts: { launchServer: (options) => launchServer({ ...options, args: Args.none }) },
    caught: 'its server does not launch with the options',
    says: 'server() has to throw',
  },
  {
    fault: 'looks at its arguments when it has connected',
    parts: {
      begin: async (session) => {
        const conn = await session.connect(session.target, session.signal)
        if (session.args.has('id')) return conn
        conn.destroy()
        throw new Error("missing argument 'id'")
      },
    },
    caught: 'dial() rejects the arguments {}',
    says: 'connect() was called',
  },
  {
    fault: 'drops a byte of large chunks',
    parts: { codec: (...nonces) => dropping(codecOf(...nonces), (payload) => payload.length > 10_000) },
    caught: '65536 bytes go each way',
    says: 'of 65536 is not what was sent',
  },
  {
    fault: 'turns a byte around',
    parts: {
      codec: (...nonces) => {
        const codec = codecOf(...nonces)
        return {
          ...codec,
          encode: (payload) => codec.encode(payload.length === 7 ? payload.map((byte) => byte ^ 1) : payload),
        }
      },
    },
    caught: '1427 bytes go each way',
    says: 'of 1427 is not what was sent',
  },
  {
    fault: 'takes its handshake to come in one piece',
    parts: {
      hear: async (conn, nonce, { signal }) => {
        const heard = await readSome(conn, signal)
        conn.write(nonce)
        if (heard.length !== NONCE_SIZE) throw new Error('malformed handshake')
        return heard
      },
    },
    caught: 'the wire may deliver one byte at a time',
    says: 'malformed handshake',
  },
  {
    fault: 'loses what came right after the handshake',
    parts: {
      greet: async (conn, nonce, { signal }) => {
        conn.write(nonce)
        let heard = Buffer.alloc(0)
        while (heard.length < NONCE_SIZE) heard = Buffer.concat([heard, await readSome(conn, signal)])
        return heard.subarray(0, NONCE_SIZE)
      },
    },
    caught: 'the wire may deliver gathered',
    says: 'of 3000 bytes',
  },
  {
    fault: 'fails where the first byte comes alone',
    parts: {
      hear: async (conn, nonce, { signal }) => {
        const first = await readSome(conn, signal)
        if (first.length < 2) throw new Error('malformed handshake')
        const heard = Buffer.concat([first, await readExactly(conn, NONCE_SIZE - first.length, signal)])
        conn.write(nonce)
        return heard
      },
    },
    caught: 'the wire may split the first bytes anywhere',
    says: 'malformed handshake',
  },
  {
    fault: 'has its server wait for the first payload',
    parts: {
      hear: async (conn, nonce, { signal }) => {
        const heard = await readExactly(conn, NONCE_SIZE, signal)
        conn.write(nonce)
        conn.unshift(await readExactly(conn, 1, signal))
        return heard
      },
    },
    caught: 'the server may speak first',
    says: 'accept() has resolved',
  },
  {
    fault: 'mixes up handshakes that overlap',
    parts: {
      greet: async (conn, nonce, { signal }) => {
        const turn = ++handshakes
        conn.write(nonce)
        const heard = await readExactly(conn, NONCE_SIZE, signal)
        return turn === handshakes ? heard : Buffer.concat([heard, Buffer.of(1)])
      },
    },
    caught: 'two connections at once',
    says: 'the first bytes of two connections are not what was sent',
  },
  {
    fault: 'closes both directions with the first',
    parts: {
      wrap: (conn, codec) => {
        const stream = framed(conn, codec)
        return stream.on('end', () => stream.destroy())
      },
    },
    caught: 'the end of what the client sends leaves the other direction open',
    says: 'of 300000 bytes',
  },
  {
    fault: 'does not pass on an end',
    parts: { wrap: (conn, codec) => framed(Object.assign(conn, { end: (done: () => void) => (done(), conn) }), codec) },
    caught: '0 bytes go each way',
    says: '0 bytes went each way',
  },
  {
    fault: 'does not pass on the end of what the server sends',
    parts: { wrap: (conn, codec) => new Deaf(conn, codec) },
    caught: 'the end of what the server sends leaves the other direction open',
    says: 'the client has seen the end',
  },
  {
    fault: 'takes whatever the application writes',
    parts: { wrap: (conn, codec) => new Naive(conn, codec) },
    caught: 'a network that takes nothing stops the application',
    says: 'bytes are held that are not taken',
  },
  {
    fault: 'reads whatever the network brings',
    parts: { wrap: (conn, codec) => new Naive(conn, codec) },
    caught: 'an application that reads nothing stops the network',
    says: 'bytes are held that are not taken',
  },
  ...(['FIN', 'RST'] as const).map((by) => ({
    fault: `waits on when the server has gone by ${by}`,
    parts: { failed: () => new Promise<never>(() => {}) },
    caught: `a server that vanishes in its handshake (${by})`,
    says: 'dial() has settled',
  })),
  {
    fault: 'keeps its connection when the server has gone',
    parts: {
      failed: async (_: Duplex, error: unknown) => {
        throw error
      },
      greet: async (conn, nonce, session) => {
        conn.write(nonce)
        return await readExactly(conn, NONCE_SIZE, session.signal)
      },
    },
    caught: 'a server that vanishes in its handshake (FIN)',
    says: "the client's connection is closed",
  },
  ...(['FIN', 'RST'] as const).map((by) => ({
    fault: `does not notice that the client has gone by ${by}`,
    parts: { failed: () => new Promise<never>(() => {}) },
    caught: `a client that vanishes in its handshake (${by})`,
    says: 'accept() has settled after the abort of its signal',
  })),
  ...(['client', 'server'] as const).map((who) => ({
    fault: `keeps its stream open when the ${who} has gone`,
    parts: {
      wrap: (conn: Duplex, codec: Codec) => {
        const stream = new Naive(conn, codec)
        conn
          .removeAllListeners('error')
          .removeAllListeners('close')
          .removeAllListeners('end')
          .on('error', () => {})
        return stream
      },
    },
    caught: `a ${who} that vanishes in mid-stream`,
    says: 'the stream ends',
  })),
  {
    fault: 'hides why it could not connect',
    parts: {
      begin: async (session) => {
        try {
          return await begin(session)
        } catch {
          throw new Error('failed')
        }
      },
    },
    caught: 'dial() rejects with the error of connect()',
    says: 'the parent cannot see why',
  },
  {
    fault: 'does not hand the signal to connect()',
    parts: { begin: (session) => begin({ ...session, signal: never }) },
    caught: 'an abort while it connects',
    says: 'dial() has rejected',
  },
  {
    fault: 'does not see an abort in its handshake',
    parts: {
      greet: async (conn, nonce) => {
        conn.write(nonce)
        return await readExactly(conn, NONCE_SIZE)
      },
    },
    caught: 'an abort in its handshake',
    says: 'dial() has rejected',
  },
  {
    fault: 'leaves the connection open after an abort',
    parts: {
      failed: async (_, error) => {
        throw error
      },
    },
    caught: 'an abort in its handshake',
    says: 'the connection is closed',
  },
  {
    fault: 'connects for a parent that has hung up',
    parts: {
      begin: (session) => begin({ ...session, signal: never }),
      greet: async (conn, nonce) => {
        conn.write(nonce)
        return await readExactly(conn, NONCE_SIZE)
      },
    },
    caught: 'a signal that is aborted already',
    says: 'dial() has resolved',
  },
  {
    fault: 'keeps the PT from shutting down',
    parts: {
      hear: async (conn, nonce) => {
        const heard = await readExactly(conn, NONCE_SIZE)
        conn.write(nonce)
        return heard
      },
    },
    caught: 'a shut-down in the handshake of a silent client',
    says: 'accept() has settled',
  },
  {
    fault: 'crashes on garbage',
    parts: {
      hear: (conn, nonce) =>
        new Promise((resolve, reject) => {
          conn.on('close', () => reject(new Error('closed')))
          conn.once('data', (chunk: Buffer) => {
            if (chunk.length !== NONCE_SIZE) throw new RangeError('malformed handshake')
            conn.pause().write(nonce)
            resolve(chunk)
          })
        }),
    },
    caught: 'its server survives garbage',
    says: 'an exception in a listener would end the PT: RangeError',
  },
  {
    fault: 'does not listen to the errors of its connection',
    parts: {
      wrap: (conn, codec) => {
        const stream = new Naive(conn, codec)
        conn.removeAllListeners('error')
        return stream
      },
    },
    caught: 'a server that vanishes in its handshake (RST)',
    says: 'an exception in a listener would end the PT: Error: read ECONNRESET',
  },
  {
    fault: 'echoes what it does not understand',
    parts: {
      hear: async (conn, nonce, { signal }) => {
        const heard = await readExactly(conn, NONCE_SIZE, signal)
        conn.write(heard)
        return nonce
      },
    },
    caught: 'its server survives garbage, and never echoes it',
    says: 'it echoed bytes of the garbage',
  },
  {
    fault: 'echoes what a false server says',
    parts: {
      greet: async (conn, nonce, { signal }) => {
        const heard = await readExactly(conn, NONCE_SIZE, signal)
        conn.write(heard)
        return nonce
      },
    },
    caught: 'its client survives a server that talks garbage',
    says: 'it echoed bytes of the garbage',
  },
  {
    fault: 'goes around connect()',
    parts: {
      begin: async (session) => {
        const [host, port] = session.target.split(':')
        const stray = dialDirectly({ host: host!, port: Number(port), allowHalfOpen: true })
        await once(stray, 'connect')
        stray.destroy()
        return await begin(session)
      },
    },
    caught: 'it opens sockets through connect() alone',
    says: 'it has opened something by itself',
  },
  {
    fault: 'leaves a timer behind',
    parts: {
      begin: (session) => {
        setTimeout(() => {}, 60_000).unref()
        return begin(session)
      },
    },
    caught: 'it opens sockets through connect() alone',
    says: 'no timer is left behind',
  },
  {
    fault: 'tells the operator where the bridge is',
    parts: {
      begin: (session) => {
        session.log('info', `connecting to ${session.target}`)
        return begin(session)
      },
    },
    caught: 'it says no address to the operator',
    says: 'it said where the bridge is',
  },
]
