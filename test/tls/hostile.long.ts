/**
 * A hostile peer: records and handshakes that were changed, a million and ten thousand of them (POSTERN_LONG=all), or as many as CI has
 * time for. Nothing that was forged is read, nothing hangs, and every error is one of this package. POSTERN_SEED tries a run again.
 */
import { randomBytes } from 'node:crypto'
import { duplexPair } from 'node:stream'
import { inspect } from 'node:util'
import { brotliCompressSync } from 'node:zlib'
import { connectTls } from 'postern/tls'
import { isPtError } from 'postern'
import { expect, test } from 'vitest'
import type { Established } from '../../src/tls/handshake.ts'
import { extension } from '../../src/tls/messages/extensions.ts'
import { handshakeMessage } from '../../src/tls/messages/handshake.ts'
import { RecordSealer } from '../../src/tls/record.ts'
import { suiteOf } from '../../src/tls/suites.ts'
import { TlsCodec } from '../../src/tls/tls-codec.ts'
import { u16, u8, uint, vector } from '../../src/tls/wire.ts'
import { hearUncaught } from '../support.ts'
import type { Choose } from './mutations.ts'
import { chooser, mutated, seedOfRun } from './mutations.ts'
import type { Script } from './scripted-server.ts'
import { host, newSessionTicket, root, serve } from './scripted-server.ts'

const all = process.env['POSTERN_LONG'] === 'all'
const RECORDS = all ? 1_000_000 : 200_000
const MESSAGES = all ? 300_000 : 50_000
const HANDSHAKES = all ? 10_000 : 1_500
const TIME = 1_200_000

/** Says in each failure how it can be tried again. */
function again(seed: number, round: number): string {
  return `POSTERN_SEED=${seed}, round ${round}`
}

const suites = [0x1301, 0x1302, 0x1303].map((id) => suiteOf(id)!)

function codecOf(suite: Established['suite'], serverSecret: Buffer): TlsCodec {
  const established: Established = {
    suite,
    serverSecret,
    clientSecret: serverSecret,
    resumptionSecret: serverSecret,
    alpn: undefined,
    resumed: false,
    certificates: [],
    recordSizeLimit: undefined,
  }
  return new TlsCodec({ established, onTicket: () => undefined })
}

/** What the codec gives of `wire`, and the error that ended it. */
function decoded(codec: TlsCodec, wire: Buffer): { content: Buffer; error: unknown } {
  const parts: Buffer[] = []
  let error: unknown
  try {
    for (const part of codec.decode(wire)) parts.push(part)
  } catch (thrown) {
    error = thrown
  }
  return { content: Buffer.concat(parts), error }
}

/** How many of the records lie unchanged at the beginning of `wire`. */
function wholeRecords(records: readonly Buffer[], wire: Buffer): number {
  let end = 0
  const changed = records.findIndex((record) => {
    end += record.length
    return !wire.subarray(end - record.length, end).equals(record)
  })
  return changed === -1 ? records.length : changed
}

test(
  `of ${RECORDS.toLocaleString('en')} records that were changed, none is read, nor one after it`,
  () => {
    const seed = seedOfRun()
    const choose = chooser(seed)
    for (let round = 0; round < RECORDS; round++) {
      const suite = suites[choose(3)]!
      const secret = Buffer.alloc(suite.hashLength, choose(256))
      const sealer = new RecordSealer(suite, secret)
      const contents = Array.from({ length: 2 + choose(3) }, () => Buffer.alloc(1 + choose(64), choose(256)))
      const records = contents.map((content) => sealer.seal(23, content))
      const place = choose(records.length)
      const changed = [...records]
      // One is changed, left out, sent twice, or comes too early.
      const what = choose(8)
      if (what === 0) changed.splice(place, 1)
      else if (what === 1) changed.splice(place, 0, records[place]!)
      else if (what === 2) changed.unshift(...changed.splice(place, 1))
      else changed[place] = mutated(records[place]!, choose)
      const wire = Buffer.concat(changed)
      const { content, error } = decoded(codecOf(suite, secret), wire)
      const expected = Buffer.concat(contents.slice(0, wholeRecords(records, wire)))
      if (!content.equals(expected) || (error !== undefined && !isPtError(error))) {
        expect.fail(
          `${again(seed, round)}: ${inspect(error)}, ${content.toString('hex')} of ${expected.toString('hex')}`,
        )
      }
    }
  },
  TIME,
)

test(
  `of ${MESSAGES.toLocaleString('en')} changed messages after a handshake, by a server with the keys, each is taken or refused`,
  () => {
    const seed = seedOfRun()
    const choose = chooser(seed)
    const messages = [newSessionTicket(randomBytes(40)), handshakeMessage(24, u8(0)), handshakeMessage(24, u8(1))]
    for (let round = 0; round < MESSAGES; round++) {
      const suite = suites[choose(3)]!
      const secret = Buffer.alloc(suite.hashLength, choose(256))
      const content = mutated(choose(9) === 0 ? Buffer.of(2, choose(130)) : messages[choose(3)]!, choose)
      const type = choose(12) === 0 ? choose(256) : choose(9) === 0 ? 21 : 22
      const codec = codecOf(suite, secret)
      const { content: given, error } = decoded(codec, new RecordSealer(suite, secret).seal(type, content))
      if (type !== 23 && type !== 0 && given.length > 0) expect.fail(`${again(seed, round)}: it was read as data`)
      if (error !== undefined && !isPtError(error)) expect.fail(`${again(seed, round)}: ${inspect(error)}`)
    }
  },
  TIME,
)

test(
  `of ${HANDSHAKES.toLocaleString('en')} handshakes with a changed flight, those that are accepted have one transcript`,
  async () => {
    const uncaught = hearUncaught()
    const seed = seedOfRun()
    const choose = chooser(seed)
    const count = { accepted: 0, refused: 0 }
    for (let round = 0; round < HANDSHAKES; round++) {
      const profile = (['chromium-websocket', 'chromium-page', 'firefox'] as const)[choose(3)]!
      const { onWire, script } = hostileScript(choose)
      const [conn, far] = duplexPair()
      for (const one of [conn, far]) one.on('error', () => undefined)
      const served = serve(far, script).then(
        async (server) => String((await server.receive()).content),
        () => undefined,
      )
      const options = { profile, servername: host, roots: root.pem, timeout: 10_000 } as const
      const client = await connectTls(conn, options).catch((error: unknown) => {
        if (!isPtError(error) || error.code === 'PT_TIMEOUT') expect.fail(`${again(seed, round)}: ${inspect(error)}`)
      })
      if (client) client.on('error', () => undefined).write('ping')
      else far.destroy()
      // The server checks the client's Finished, and reads the data with keys of its own transcript.
      const heard = await served
      if (client && heard !== 'ping') expect.fail(`${again(seed, round)}: another transcript, changed ${onWire}`)
      count[client ? 'accepted' : 'refused']++
      conn.destroy()
    }
    expect(uncaught).toEqual([])
    expect(count.accepted).toBeGreaterThan(HANDSHAKES / 1_000)
    expect(count.refused).toBeGreaterThan(HANDSHAKES / 2)
    console.log(`${count.accepted} accepted, ${count.refused} refused, seed ${seed}`)
  },
  TIME,
)

/** A server that changes one of its messages before it is hashed, or the bytes of its flight after that. */
function hostileScript(choose: Choose): { onWire: string; script: Script } {
  const change = (bytes: Buffer): Buffer => mutated(bytes, choose)
  /** The header of the message keeps its length in half of all cases, so that what is in it is looked at. */
  const message = (bytes: Buffer): Buffer =>
    choose(2) === 0 ? change(bytes) : handshakeMessage(bytes[0]!, change(bytes.subarray(4)))
  const compressed = (bytes: Buffer): Buffer => {
    const body = bytes.subarray(4)
    return message(handshakeMessage(25, u16(2), uint(body.length, 3), vector(3, brotliCompressSync(body))))
  }
  const alpn = extension(0x10, vector(2, vector(1, Buffer.from('http/1.1'))))
  const request = handshakeMessage(13, vector(1), vector(2, extension(0x0d, vector(2, u16(0x0403)))))
  const scripts: Script[] = [
    { serverHello: change },
    { encrypted: [change(alpn)] },
    { beforeCertificate: message(request) },
    { certificate: message },
    { certificate: compressed },
    { leafExtensions: [change(extension(0x22, Buffer.alloc(60, choose(256))))] },
    { verify: message },
    { finished: message },
    { flight: (records) => [change(Buffer.concat(records))] },
    { flight: (records) => records.map((record) => (choose(4) === 0 ? change(record) : record)) },
    { flight: (records) => records.toSorted(() => choose(3) - 1) },
  ]
  const at = choose(scripts.length)
  return { onWire: String(at), script: { ...scripts[at]!, endsEarly: true } }
}
