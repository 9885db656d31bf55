/**
 * The client's handshake (RFC 8446, section 2), in the order of its messages.
 *
 *     ClientHello              →
 *                              ←  HelloRetryRequest
 *     ClientHello              →
 *                              ←  ServerHello
 *                                 {EncryptedExtensions} {CertificateRequest} {Certificate} {CertificateVerify} {Finished}
 *     {EncryptedExtensions} {Certificate} {Finished}  →      the first one answers settings of an application (ALPS)
 */
import { timingSafeEqual } from 'node:crypto'
import { TlsFault } from './alert.ts'
import type { Certificate } from './certificates/certificate.ts'
import { readDelegatedCredential } from './certificates/delegated-credential.ts'
import type { PublicKey } from './certificates/signatures.ts'
import { fits, verifyScheme } from './certificates/signatures.ts'
import type { Verification } from './certificates/verify.ts'
import { verifyCertificates } from './certificates/verify.ts'
import { makeShare } from './groups.ts'
import type { HandshakeWire } from './handshake-wire.ts'
import { AlertFromServer } from './handshake-wire.ts'
import { ClientHello } from './hello.ts'
import type { HelloOptions } from './hello.ts'
import { deriveSecret, earlySecret, finishedMac, nextSecret } from './key-schedule.ts'
import type { CertificateList } from './messages/certificate.ts'
import {
  emptyCertificate,
  readCertificate,
  readCertificateRequest,
  readCertificateVerify,
  readCompressedCertificate,
} from './messages/certificate.ts'
import type { EncryptedExtensions } from './messages/encrypted-extensions.ts'
import { readEncryptedExtensions } from './messages/encrypted-extensions.ts'
import { extension, extensionTypes } from './messages/extensions.ts'
import type { HandshakeMessage } from './messages/handshake.ts'
import { handshakeMessage, handshakeTypes } from './messages/handshake.ts'
import type { ServerHello } from './messages/server-hello.ts'
import {
  readCookie,
  readResumes,
  readSelectedGroup,
  readServerHello,
  readServerShare,
} from './messages/server-hello.ts'
import type { Suite } from './suites.ts'
import { Transcript } from './transcript.ts'
import { vector } from './wire.ts'

export interface HandshakeOptions extends HelloOptions {
  readonly verification: Verification
  /** Is called when the server has answered with a hello. */
  onServerHello?(): void
}

/** What a handshake has come to. */
export interface Established {
  readonly suite: Suite
  readonly clientSecret: Buffer
  readonly serverSecret: Buffer
  readonly resumptionSecret: Buffer
  readonly alpn: string | undefined
  readonly resumed: boolean
  /** The server's certificates in DER as it sent them, now or when it gave the ticket. */
  readonly certificates: readonly Buffer[]
  /** The most bytes that a record to the server may protect, with the byte of its type. */
  readonly recordSizeLimit: number | undefined
}

export async function clientHandshake(wire: HandshakeWire, options: HandshakeOptions): Promise<Established> {
  const hello = await ClientHello.make(options)
  return await new Handshake(wire, options, hello).run()
}

class Handshake {
  readonly #wire: HandshakeWire
  readonly #options: HandshakeOptions
  readonly #hello: ClientHello
  readonly #transcript = new Transcript()

  constructor(wire: HandshakeWire, options: HandshakeOptions, hello: ClientHello) {
    this.#wire = wire
    this.#options = options
    this.#hello = hello
  }

  async run(): Promise<Established> {
    this.#wire.sendFirst(this.#helloMessage())
    const { serverHello, suite } = await this.#agree()
    const { secret, resumed, clientSecret, serverSecret } = this.#secrets(serverHello, suite)
    this.#wire.openWith(suite, serverSecret)
    this.#wire.sealWith(suite, clientSecret)
    const encrypted = await this.#encryptedExtensions()
    const proof = resumed ? undefined : await this.#certificate(suite)
    await this.#finished(suite, serverSecret)
    const main = nextSecret(suite, secret)
    const hash = this.#transcript.hash(suite)
    this.#wire.openWith(suite, deriveSecret(suite, main, 's ap traffic', hash))
    this.#sendFlight(suite, clientSecret, encrypted, proof?.wantsCertificate ?? false)
    return {
      suite,
      clientSecret: deriveSecret(suite, main, 'c ap traffic', hash),
      serverSecret: deriveSecret(suite, main, 's ap traffic', hash),
      resumptionSecret: deriveSecret(suite, main, 'res master', this.#transcript.hash(suite)),
      alpn: encrypted.alpn,
      resumed,
      certificates: proof?.certificates ?? this.#hello.ticket?.certificates ?? [],
      recordSizeLimit: encrypted.recordSizeLimit,
    }
  }

  #helloMessage(): Buffer {
    const message = this.#hello.message(this.#transcript)
    this.#transcript.add(message)
    return message
  }

  /** The server's hello, after a second hello of ours if it asks for one. */
  async #agree(): Promise<{ serverHello: ServerHello; suite: Suite }> {
    const first = await this.#serverHello()
    this.#options.onServerHello?.()
    const suite = this.#suiteOf(first.hello)
    if (!first.hello.isRetry) {
      this.#transcript.add(first.message.whole)
      return { serverHello: first.hello, suite }
    }
    await this.#retry(first.hello, first.message, suite)
    const { hello, message } = await this.#serverHello()
    if (hello.isRetry) throw new TlsFault('unexpected_message', 'the server asked for a third hello')
    if (this.#suiteOf(hello) !== suite) {
      throw new TlsFault('illegal_parameter', 'the server chose another cipher suite after its HelloRetryRequest')
    }
    this.#transcript.add(message.whole)
    return { serverHello: hello, suite }
  }

  async #serverHello(): Promise<{ hello: ServerHello; message: HandshakeMessage }> {
    const message = await this.#wire.expect(handshakeTypes.serverHello)
    // A server of TLS 1.2 may put the next message into the same record, and is to be told that it speaks TLS 1.2.
    const hello = readServerHello(message.body, this.#hello.offered)
    this.#wire.checkBoundary()
    return { hello, message }
  }

  #suiteOf({ sessionId, suite: id }: ServerHello): Suite {
    if (!sessionId.equals(this.#hello.sessionId)) {
      throw new TlsFault('illegal_parameter', 'the server answered with another session id')
    }
    const suite = this.#hello.offer.suites.find((one) => one.id === id)
    if (suite === undefined) {
      throw new TlsFault(
        'illegal_parameter',
        'the server chose a cipher suite that is not of TLS 1.3 or was not offered',
      )
    }
    return suite
  }

  async #retry({ extensions }: ServerHello, message: HandshakeMessage, suite: Suite): Promise<void> {
    const group = readSelectedGroup(extensions)
    const cookie = readCookie(extensions)
    const hello = this.#hello
    const had = hello.shares.some((share) => share.group === group)
    if ((group === undefined && cookie === undefined) || had) {
      throw new TlsFault('illegal_parameter', 'the server asked for a second hello that would be the same')
    }
    const isOffered = group !== undefined && hello.offer.groups.includes(group)
    const share = isOffered ? await makeShare(group, undefined) : undefined
    if (group !== undefined && share === undefined) {
      throw new TlsFault('illegal_parameter', 'the server asked for a key of a group that was not offered')
    }
    this.#transcript.collapse(suite)
    this.#transcript.add(message.whole)
    hello.retry({ share, cookie, suite })
    this.#wire.send(this.#helloMessage())
  }

  #secrets(
    { extensions }: ServerHello,
    suite: Suite,
  ): { secret: Buffer; resumed: boolean; clientSecret: Buffer; serverSecret: Buffer } {
    const resumed = readResumes(extensions)
    const { ticket, shares } = this.#hello
    if (resumed && ticket?.suite.hash !== suite.hash) {
      throw new TlsFault('illegal_parameter', 'the server resumes with a cipher suite that does not fit the ticket')
    }
    const { group, key } = readServerShare(extensions)
    const share = shares.find((one) => one.group === group)
    if (share === undefined)
      throw new TlsFault('illegal_parameter', 'the server sent a key of a group that we sent none of')
    const secret = nextSecret(suite, earlySecret(suite, resumed ? ticket?.psk : undefined), share.agree(key))
    const hash = this.#transcript.hash(suite)
    return {
      secret,
      resumed,
      clientSecret: deriveSecret(suite, secret, 'c hs traffic', hash),
      serverSecret: deriveSecret(suite, secret, 's hs traffic', hash),
    }
  }

  /** The next message of one of these types, which is a part of the transcript. */
  async #expect(...types: readonly number[]): Promise<HandshakeMessage> {
    const message = await this.#wire.expect(...types)
    this.#transcript.add(message.whole)
    return message
  }

  async #encryptedExtensions(): Promise<EncryptedExtensions> {
    const { body } = await this.#expect(handshakeTypes.encryptedExtensions)
    return readEncryptedExtensions(body, this.#hello.offered, this.#hello.offer.protocols)
  }

  async #certificate(suite: Suite): Promise<{ certificates: readonly Buffer[]; wantsCertificate: boolean }> {
    const { certificateRequest, certificate, compressedCertificate, certificateVerify } = handshakeTypes
    const certificateTypes =
      this.#hello.offer.compressions.length > 0 ? [certificate, compressedCertificate] : [certificate]
    let message = await this.#expect(certificateRequest, ...certificateTypes)
    const wantsCertificate = message.type === certificateRequest
    if (wantsCertificate) {
      readCertificateRequest(message.body)
      message = await this.#expect(...certificateTypes)
    }
    const isCompressed = message.type === compressedCertificate
    const body = isCompressed ? readCompressedCertificate(message.body, this.#hello.offer.compressions) : message.body
    const list = readCertificate(body, this.#hello.offered)
    const leaf = await verifyCertificates(list.certificates, this.#options.verification)
    const hash = this.#transcript.hash(suite)
    const verify = await this.#expect(certificateVerify)
    await this.#verify(leaf, list, hash, verify)
    return { certificates: list.certificates, wantsCertificate }
  }

  /** The proof that the server holds the key of its certificate, or of a credential that the certificate signed. */
  async #verify(leaf: Certificate, list: CertificateList, hash: Buffer, { body }: HandshakeMessage): Promise<void> {
    const { schemes, credentialSchemes } = this.#hello.offer
    const { scheme, signature } = readCertificateVerify(body)
    const { delegatedCredential: data } = list
    const now = Date.now()
    const delegated = data && (await readDelegatedCredential(data, { leaf, credentialSchemes, schemes, now }))
    const key: PublicKey = delegated?.key ?? leaf.key
    const isOffered = delegated === undefined ? schemes.includes(scheme) : scheme === delegated.scheme
    if (!isOffered || !fits(scheme, key)) {
      throw new TlsFault(
        'illegal_parameter',
        'the server signed with a scheme that was not offered or does not fit its key',
      )
    }
    if (!(await verifyScheme(scheme, key, signedContent(hash), signature))) {
      throw new TlsFault(
        'decrypt_error',
        "the server's signature is wrong: it does not hold the key of its certificate",
        {
          code: 'PT_CERTIFICATE',
          stage: 'certificate',
        },
      )
    }
  }

  async #finished(suite: Suite, serverSecret: Buffer): Promise<void> {
    const expected = finishedMac(suite, serverSecret, this.#transcript.hash(suite))
    const { body } = await this.#expect(handshakeTypes.finished)
    if (body.length !== expected.length || !timingSafeEqual(body, expected)) {
      throw new TlsFault('decrypt_error', 'the handshake was altered on the way')
    }
  }

  /** The last flight of the handshake, in one record. */
  #sendFlight(suite: Suite, clientSecret: Buffer, encrypted: EncryptedExtensions, wantsCertificate: boolean): void {
    const flight = [
      ...(encrypted.hasApplicationSettings ? [applicationSettings()] : []),
      ...(wantsCertificate ? [emptyCertificate()] : []),
    ]
    for (const message of flight) this.#transcript.add(message)
    const mac = finishedMac(suite, clientSecret, this.#transcript.hash(suite))
    const finished = handshakeMessage(handshakeTypes.finished, mac)
    this.#transcript.add(finished)
    this.#wire.send(...flight, finished)
  }
}

/** What a CertificateVerify of a server signs (RFC 8446, section 4.4.3). */
export function signedContent(transcriptHash: Buffer): Buffer {
  return Buffer.concat([Buffer.alloc(64, ' '), Buffer.from('TLS 1.3, server CertificateVerify\0'), transcriptHash])
}

/** The client's EncryptedExtensions with its settings of the application, which are empty as Chromium's are for HTTP/2. */
function applicationSettings(): Buffer {
  return handshakeMessage(handshakeTypes.encryptedExtensions, vector(2, extension(extensionTypes.applicationSettings)))
}

/** Tells the server why the handshake has ended, unless the server ended it. */
export function sendFault(wire: HandshakeWire, error: unknown): void {
  if (error instanceof TlsFault && !(error instanceof AlertFromServer)) wire.sendAlert(error.alert)
}
