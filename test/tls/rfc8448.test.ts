/** The traces of RFC 8448: every byte that a client reads or writes comes out of ours too. */
import { createECDH } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { alertBytes } from '../../src/tls/alert.ts'
import { parseCertificate } from '../../src/tls/certificates/certificate.ts'
import { fits, readPublicKey, verifyScheme } from '../../src/tls/certificates/signatures.ts'
import { makeX25519 } from '../../src/tls/groups.ts'
import { signedContent } from '../../src/tls/handshake.ts'
import { readAlert } from '../../src/tls/handshake-wire.ts'
import {
  binderKey,
  deriveSecret,
  earlySecret,
  finishedMac,
  nextSecret,
  resumptionPsk,
} from '../../src/tls/key-schedule.ts'
import { readNewSessionTicket } from '../../src/tls/messages/after.ts'
import { readCertificate, readCertificateRequest, readCertificateVerify } from '../../src/tls/messages/certificate.ts'
import { readEncryptedExtensions } from '../../src/tls/messages/encrypted-extensions.ts'
import type { HandshakeMessage } from '../../src/tls/messages/handshake.ts'
import { handshakeMessage, handshakeTypes, MessageAssembler } from '../../src/tls/messages/handshake.ts'
import {
  readCookie,
  readResumes,
  readSelectedGroup,
  readServerHello,
  readServerShare,
} from '../../src/tls/messages/server-hello.ts'
import { plainRecord, RecordOpener, RecordSealer } from '../../src/tls/record.ts'
import { suiteOf } from '../../src/tls/suites.ts'
import { Transcript } from '../../src/tls/transcript.ts'
import { root } from '../support.ts'
import { parseHello } from './client-hello.ts'

const suite = suiteOf(0x1301)!
const traces = JSON.parse(readFileSync(join(root, 'test/vectors/rfc8448.json'), 'utf8')) as Record<
  'simple' | 'resumed' | 'retry' | 'clientAuthentication',
  Record<string, string>
>

function bytes(trace: keyof typeof traces, name: string): Buffer {
  const text = traces[trace][name]
  if (text === undefined) throw new Error(`${trace} has no ${name}`)
  return Buffer.from(text, 'hex')
}

function offeredBy(hello: Buffer): Set<number> {
  return new Set(parseHello(hello).extensions.map(({ type }) => type))
}

function messagesOf(content: Buffer): HandshakeMessage[] {
  const assembler = new MessageAssembler()
  assembler.add(content)
  const messages: HandshakeMessage[] = []
  for (let one = assembler.next(); one !== undefined; one = assembler.next()) messages.push(one)
  expect(assembler.isAmid).toBe(false)
  return messages
}

/** Reads the server's flight with the secret that came of `shared`; the transcript holds it when this is done. */
function readFlight(trace: keyof typeof traces, transcript: Transcript, secret: Buffer): HandshakeMessage[] {
  const serverSecret = deriveSecret(suite, secret, 's hs traffic', transcript.hash(suite))
  const record = bytes(trace, 'serverFlight')
  const { type, content } = new RecordOpener(suite, serverSecret).open(record)
  expect(type).toBe(22)
  const messages = messagesOf(content)
  for (const one of messages.slice(0, -1)) transcript.add(one.whole)
  const finished = messages.at(-1)!
  expect(finished.body).toEqual(finishedMac(suite, serverSecret, transcript.hash(suite)))
  transcript.add(finished.whole)
  return messages
}

/** Our Finished in a record, and the transcript with it. */
function clientFinished(transcript: Transcript, clientSecret: Buffer): Buffer {
  const message = handshakeMessage(handshakeTypes.finished, finishedMac(suite, clientSecret, transcript.hash(suite)))
  transcript.add(message)
  return new RecordSealer(suite, clientSecret).seal(22, message)
}

async function expectSigned(leaf: Buffer, verify: HandshakeMessage, before: Buffer): Promise<void> {
  const { scheme, signature } = readCertificateVerify(verify.body)
  const key = readPublicKey(parseCertificate(leaf).spki)
  expect(fits(scheme, key)).toBe(true)
  expect(await verifyScheme(scheme, key, signedContent(before), signature)).toBe(true)
  signature[20]! ^= 1
  expect(await verifyScheme(scheme, key, signedContent(before), signature)).toBe(false)
}

/** The simple handshake up to its end, with what the next one needs. */
function simple(): { transcript: Transcript; main: Buffer; afterServer: Buffer; finished: Buffer } {
  const transcript = new Transcript()
  const [hello, serverHello] = [bytes('simple', 'clientHello').subarray(5), bytes('simple', 'serverHello').subarray(5)]
  transcript.add(hello)
  const { isRetry, extensions, suite: chosen } = readServerHello(serverHello.subarray(4), offeredBy(hello))
  expect([isRetry, chosen, readResumes(extensions)]).toEqual([false, 0x1301, false])
  transcript.add(serverHello)
  const shared = makeX25519(bytes('simple', 'clientPrivateKey')).agree(readServerShare(extensions).key)
  const secret = nextSecret(suite, earlySecret(suite), shared)
  const clientSecret = deriveSecret(suite, secret, 'c hs traffic', transcript.hash(suite))
  readFlight('simple', transcript, secret)
  const main = nextSecret(suite, secret)
  const afterServer = transcript.hash(suite)
  return { transcript, main, afterServer, finished: clientFinished(transcript, clientSecret) }
}

test('a simple handshake: shared secret, flight, Finished, data and close_notify', () => {
  const { main, afterServer, finished } = simple()
  expect(finished).toEqual(bytes('simple', 'clientFinished'))
  const data = Buffer.from(Array.from({ length: 50 }, (_, at) => at))
  const sealer = new RecordSealer(suite, deriveSecret(suite, main, 'c ap traffic', afterServer))
  expect(sealer.seal(23, data)).toEqual(bytes('simple', 'clientData'))
  expect(sealer.seal(21, alertBytes('close_notify'))).toEqual(bytes('simple', 'clientCloseNotify'))
  const opener = new RecordOpener(suite, deriveSecret(suite, main, 's ap traffic', afterServer))
  const open = (name: string): { type: number; content: Buffer } => {
    const record = bytes('simple', name)
    return opener.open(record)
  }
  expect(open('newSessionTicket').type).toBe(22)
  expect(open('serverData')).toEqual({ type: 23, content: data })
  expect(readAlert(open('serverCloseNotify').content)).toBe('close')
})

test('a simple handshake: what the server agreed to, its certificate and its signature', async () => {
  const transcript = new Transcript()
  const [hello, serverHello] = [bytes('simple', 'clientHello').subarray(5), bytes('simple', 'serverHello').subarray(5)]
  transcript.add(hello)
  transcript.add(serverHello)
  const share = readServerShare(readServerHello(serverHello.subarray(4), offeredBy(hello)).extensions)
  const shared = makeX25519(bytes('simple', 'clientPrivateKey')).agree(share.key)
  const again = new Transcript()
  const messages = readFlight('simple', transcript, nextSecret(suite, earlySecret(suite), shared))
  const [encrypted, certificate, verify] = messages
  expect(readEncryptedExtensions(encrypted!.body, offeredBy(hello), [])).toEqual({
    alpn: undefined,
    recordSizeLimit: 16_385,
    hasApplicationSettings: false,
  })
  const { certificates } = readCertificate(certificate!.body, new Set())
  expect(certificates).toHaveLength(1)
  for (const one of [hello, serverHello, encrypted!.whole, certificate!.whole]) again.add(one)
  await expectSigned(certificates[0]!, verify!, again.hash(suite))
})

test('a resumed handshake: PSK, binder and the server’s Finished', () => {
  const { transcript: first, main } = simple()
  const opener = new RecordOpener(suite, applicationSecret(main))
  const record = bytes('simple', 'newSessionTicket')
  const [message] = messagesOf(opener.open(record).content)
  const { nonce, ticket, lifetime } = readNewSessionTicket(message!.body)
  expect(lifetime).toBe(30)
  const psk = resumptionPsk(suite, deriveSecret(suite, main, 'res master', first.hash(suite)), nonce)
  const hello = bytes('resumed', 'clientHello').subarray(5)
  expect(hello.includes(ticket)).toBe(true)
  const transcript = new Transcript()
  const binder = finishedMac(suite, binderKey(suite, psk), transcript.hash(suite, hello.subarray(0, -35)))
  expect(binder).toEqual(hello.subarray(-32))
  transcript.add(hello)
  const serverHello = bytes('resumed', 'serverHello').subarray(5)
  const { extensions } = readServerHello(serverHello.subarray(4), offeredBy(hello))
  expect(readResumes(extensions)).toBe(true)
  transcript.add(serverHello)
  const shared = makeX25519(bytes('resumed', 'clientPrivateKey')).agree(readServerShare(extensions).key)
  const messages = readFlight('resumed', transcript, nextSecret(suite, earlySecret(suite, psk), shared))
  expect(messages.map(({ type }) => type)).toEqual([8, 20])
})

/** The server's secret of the simple handshake. */
function applicationSecret(main: Buffer): Buffer {
  return deriveSecret(suite, main, 's ap traffic', simple().afterServer)
}

test('HelloRetryRequest: the group, the cookie, the transcript and the second hello', async () => {
  const hello = bytes('retry', 'clientHello').subarray(5)
  const retry = bytes('retry', 'helloRetryRequest').subarray(5)
  const { isRetry, extensions } = readServerHello(retry.subarray(4), offeredBy(hello))
  expect([isRetry, readSelectedGroup(extensions), readCookie(extensions)?.length]).toEqual([true, 0x17, 114])
  const transcript = new Transcript()
  transcript.add(hello)
  transcript.collapse(suite)
  transcript.add(retry)
  const second = bytes('retry', 'secondClientHello').subarray(5)
  expect(second.includes(readCookie(extensions)!)).toBe(true)
  transcript.add(second)
  const serverHello = bytes('retry', 'serverHello').subarray(5)
  transcript.add(serverHello)
  const ecdh = createECDH('prime256v1')
  ecdh.setPrivateKey(bytes('retry', 'clientPrivateKey'))
  const share = readServerShare(readServerHello(serverHello.subarray(4), offeredBy(second)).extensions)
  const secret = nextSecret(suite, earlySecret(suite), ecdh.computeSecret(share.key))
  const clientSecret = deriveSecret(suite, secret, 'c hs traffic', transcript.hash(suite))
  readFlight('retry', transcript, secret)
  expect(clientFinished(transcript, clientSecret)).toEqual(bytes('retry', 'clientFinished'))
})

test('client authentication: the request, and a server that signs with ECDSA', async () => {
  const hello = bytes('clientAuthentication', 'clientHello').subarray(5)
  const serverHello = bytes('clientAuthentication', 'serverHello').subarray(5)
  const transcript = new Transcript()
  transcript.add(hello)
  transcript.add(serverHello)
  const share = readServerShare(readServerHello(serverHello.subarray(4), offeredBy(hello)).extensions)
  const shared = makeX25519(bytes('clientAuthentication', 'clientPrivateKey')).agree(share.key)
  const messages = readFlight('clientAuthentication', transcript, nextSecret(suite, earlySecret(suite), shared))
  expect(messages.map(({ type }) => type)).toEqual([8, 13, 11, 15, 20])
  readCertificateRequest(messages[1]!.body)
  const again = new Transcript()
  for (const one of [hello, serverHello, ...messages.slice(0, 3).map(({ whole }) => whole)]) again.add(one)
  await expectSigned(readCertificate(messages[2]!.body, new Set()).certificates[0]!, messages[3]!, again.hash(suite))
})

test('a hello of the trace is a record of version 03 01', () => {
  const record = bytes('simple', 'clientHello')
  expect(plainRecord(22, record.subarray(5), 0x0301)).toEqual(record)
})
