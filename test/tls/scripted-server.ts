/**
 * A server of TLS 1.3 whose every message a test can change: for what no server at hand does, and for what none should. It knows X25519
 * and one suite, and is made of node:crypto and of the pieces that the vectors of RFC 8448 hold.
 */
import type { KeyObject } from 'node:crypto'
import { randomBytes, sign, constants } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { duplexPair } from 'node:stream'
import { onTestFinished } from 'vitest'
import { readExactly } from '../../src/io/read.ts'
import { makeX25519 } from '../../src/tls/groups.ts'
import { signedContent } from '../../src/tls/handshake.ts'
import { deriveSecret, earlySecret, finishedMac, nextSecret, updatedSecret } from '../../src/tls/key-schedule.ts'
import { extension } from '../../src/tls/messages/extensions.ts'
import { handshakeMessage, MessageAssembler } from '../../src/tls/messages/handshake.ts'
import { RecordOpener, RecordSealer, plainRecord } from '../../src/tls/record.ts'
import { suiteOf } from '../../src/tls/suites.ts'
import { Transcript } from '../../src/tls/transcript.ts'
import { u16, u8, uint, vector } from '../../src/tls/wire.ts'
import { authority } from './authority.ts'
import { parseHello, sharesOf } from './client-hello.ts'

export const host = 'bridge.example'
export const { root, leaf } = authority([host], { delegates: true, keyUsage: [0] })
const suite = suiteOf(0x1301)!

/** What a test changes. Each gets the message as it would be, and gives what is sent in its place. */
export interface Script {
  readonly serverHello?: (body: Buffer) => Buffer
  /** The extensions of EncryptedExtensions. */
  readonly encrypted?: readonly Buffer[]
  readonly beforeCertificate?: Buffer
  /** The whole message. */
  readonly certificate?: (message: Buffer) => Buffer
  readonly leafExtensions?: readonly Buffer[]
  readonly verify?: (message: Buffer) => Buffer
  readonly signer?: KeyObject
  readonly finished?: (message: Buffer) => Buffer
  /** The records of the server's whole flight. */
  readonly flight?: (records: readonly Buffer[]) => readonly Buffer[]
  /** It ends the connection if the client does not answer the flight at once, so that no client waits for more. */
  readonly endsEarly?: boolean
}

/** The server after its handshake. */
export interface Server {
  /** The messages of the client's last flight. */
  readonly clientFlight: readonly { readonly type: number; readonly body: Buffer }[]
  /** Sends a record. */
  send(type: number, content: Buffer): void
  /** Sends bytes as they are. */
  sendRaw(bytes: Buffer): void
  /** The next record of the client: its type, and its content. */
  receive(): Promise<{ readonly type: number; readonly content: Buffer }>
  updateOwnKeys(): void
  updateClientKeys(): void
  end(): void
}

/** A client's end and the server that runs on the other; it rejects if the client goes away before the end of the handshake. */
export function scripted(script: Script = {}): { readonly conn: Duplex; readonly server: Promise<Server> } {
  const [conn, far] = duplexPair()
  for (const one of [conn, far]) onTestFinished(() => void one.on('error', () => undefined).destroy())
  const server = serve(far, script)
  server.catch(() => undefined)
  return { conn, server }
}

/** Rejects if the client does not know what this server has sent. */
export async function serve(conn: Duplex, script: Script): Promise<Server> {
  const transcript = new Transcript()
  const hello = await readRecord(conn)
  transcript.add(hello.content)
  const { sessionId } = parseHello(hello.content)
  const theirs = sharesOf(parseHello(hello.content)).find(({ group }) => group === 0x1d)!
  const pair = makeX25519()
  const same = (bytes: Buffer): Buffer => bytes
  const extensions = [extension(0x33, u16(0x1d), vector(2, pair.publicKey)), extension(0x2b, u16(0x0304))]
  const body = Buffer.concat([
    u16(0x0303),
    randomBytes(32),
    vector(1, Buffer.from(sessionId, 'hex')),
    u16(suite.id),
    u8(0),
    vector(2, ...extensions),
  ])
  const serverHello = handshakeMessage(2, (script.serverHello ?? same)(body))
  transcript.add(serverHello)
  const secret = nextSecret(suite, earlySecret(suite), pair.agree(theirs.key))
  const hash = transcript.hash(suite)
  const secrets = {
    client: deriveSecret(suite, secret, 'c hs traffic', hash),
    server: deriveSecret(suite, secret, 's hs traffic', hash),
  }
  const sealer = new RecordSealer(suite, secrets.server)
  const records = [plainRecord(22, serverHello)]
  const add = (message: Buffer): void => {
    transcript.add(message)
    records.push(sealer.seal(22, message))
  }
  add(handshakeMessage(8, vector(2, ...(script.encrypted ?? []))))
  if (script.beforeCertificate !== undefined) add(script.beforeCertificate)
  const list = Buffer.concat([vector(3, leaf.der), vector(2, ...(script.leafExtensions ?? []))])
  add((script.certificate ?? same)(handshakeMessage(11, vector(1), vector(3, list))))
  add((script.verify ?? same)(certificateVerify(signedContent(transcript.hash(suite)), script.signer ?? leaf.key)))
  add((script.finished ?? same)(handshakeMessage(20, finishedMac(suite, secrets.server, transcript.hash(suite)))))
  conn.write(Buffer.concat((script.flight ?? ((all: readonly Buffer[]) => all))(records)))
  const main = nextSecret(suite, secret)
  const done = transcript.hash(suite)
  if (script.endsEarly === true) void endUnlessAnswered(conn)
  const clientFlight = await readFlight(conn, new RecordOpener(suite, secrets.client))
  checkFinished(clientFlight, transcript, secrets.client)
  return new ScriptedServer(
    conn,
    clientFlight,
    deriveSecret(suite, main, 'c ap traffic', done),
    deriveSecret(suite, main, 's ap traffic', done),
  )
}

function certificateVerify(content: Buffer, key: KeyObject): Buffer {
  const isRsa = key.asymmetricKeyType === 'rsa'
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
  return handshakeMessage(
    15,
    u16(isRsa ? 0x0804 : 0x0403),
    vector(2, sign('sha256', content, isRsa ? { key, ...pss } : key)),
  )
}

/** A client in the same process has done all that it can after so many turns of the event loop. */
async function endUnlessAnswered(conn: Duplex): Promise<void> {
  let answered = false
  conn.once('readable', () => (answered = true))
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  if (!answered) conn.end()
}

/** The client's Finished is over all that this server has sent, as it was before `flight` changed it. */
function checkFinished(clientFlight: Server['clientFlight'], transcript: Transcript, secret: Buffer): void {
  const { body } = clientFlight.at(-1)!
  for (const { type, body: other } of clientFlight.slice(0, -1)) transcript.add(handshakeMessage(type, other))
  if (!body.equals(finishedMac(suite, secret, transcript.hash(suite))))
    throw new Error('the client has another transcript')
}

async function readFlight(conn: Duplex, opener: RecordOpener): Promise<{ type: number; body: Buffer }[]> {
  const messages: { type: number; body: Buffer }[] = []
  const assembler = new MessageAssembler()
  while (messages.at(-1)?.type !== 20) {
    const { type, whole } = await readRecord(conn)
    if (type === 20) continue
    assembler.add(opener.open(whole).content)
    for (let one = assembler.next(); one !== undefined; one = assembler.next()) messages.push(one)
  }
  return messages
}

async function readRecord(conn: Duplex): Promise<{ type: number; whole: Buffer; content: Buffer }> {
  const header = await readExactly(conn, 5)
  const content = await readExactly(conn, header.readUInt16BE(3))
  return { type: header[0]!, whole: Buffer.concat([header, content]), content }
}

class ScriptedServer implements Server {
  readonly clientFlight: readonly { readonly type: number; readonly body: Buffer }[]
  readonly #conn: Duplex
  #client: Buffer
  #server: Buffer
  #opener: RecordOpener
  #sealer: RecordSealer

  constructor(conn: Duplex, clientFlight: Server['clientFlight'], client: Buffer, server: Buffer) {
    this.#conn = conn
    this.clientFlight = clientFlight
    this.#client = client
    this.#server = server
    this.#opener = new RecordOpener(suite, client)
    this.#sealer = new RecordSealer(suite, server)
  }

  send(type: number, content: Buffer): void {
    this.sendRaw(this.#sealer.seal(type, content))
  }

  sendRaw(bytes: Buffer): void {
    this.#conn.write(bytes)
  }

  async receive(): Promise<{ type: number; content: Buffer }> {
    const { whole } = await readRecord(this.#conn)
    return this.#opener.open(whole)
  }

  updateOwnKeys(): void {
    this.#server = updatedSecret(suite, this.#server)
    this.#sealer = new RecordSealer(suite, this.#server)
  }

  updateClientKeys(): void {
    this.#client = updatedSecret(suite, this.#client)
    this.#opener = new RecordOpener(suite, this.#client)
  }

  end(): void {
    this.#conn.end()
  }
}

/** A NewSessionTicket. */
export function newSessionTicket(ticket: Buffer): Buffer {
  return handshakeMessage(4, uint(100, 4), uint(7, 4), vector(1, u8(1)), vector(2, ticket), vector(2))
}
