/**
 * A connection to a front: TCP by the session's `connect`, and TLS with a browser's hello.
 *
 *     TCP ── hello ── answered ───────────────────────────── stream
 *               └─ no ServerHello ── TCP ── second hello ── stream, and the next connection begins with that hello
 *
 * A second hello is sent once, and only if the first one got no answer at all: a censor who drops one browser's hello may pass another's.
 * An alert is an answer. A connection that could not be made says nothing about hellos.
 */
import type { Duplex } from 'node:stream'
import type { ClientSession } from '../../transport.ts'
import { PtError } from '../../error.ts'
import { carries } from '../../tls/certificates/verify.ts'
import { connectTls, UnansweredHello } from '../../tls/connect.ts'
import type { TlsConnection } from '../../tls/tls-connection.ts'
import type { Browser, FrontHello, FrontProfile, WebForm } from './utls.ts'
import type { Visit } from './visits.ts'

/** How long one handshake may take, in ms, if nothing else is said. */
const TLS_TIME = 15_000

/** The part of a session that a dial needs. A client that shares a connection among its dials gives one of its own. */
export type FrontSession = Pick<ClientSession, 'connect' | 'signal' | 'cancellation'>

export interface DialFrontOptions {
  readonly session: FrontSession
  /** `host:port` to connect to, IPv6 in brackets. A name is looked up by `connect`, or by the proxy. */
  readonly target: string
  /** Undefined for a front without TLS. */
  readonly tls: FrontTls | undefined
}

/** How the front is spoken to, and what it has to prove. */
export interface FrontTls {
  /** The name in the hello; an IP address, without brackets, is not sent. */
  readonly servername: string
  /** The names of which the certificate has to carry one, if they are not `servername`; '*' is any name. */
  readonly verifyNames?: readonly string[] | undefined
  /** The hash of the server's chain. Without `verifyNames` it takes the place of roots, names and dates. */
  readonly pin?: Uint8Array | undefined
  /** A WebSocket needs HTTP/1.1: if the front chooses HTTP/2 all the same, it is dialled again with HTTP/1.1 alone. */
  readonly form: WebForm
  readonly profile: FrontProfile
  readonly visit: Visit
  /** False if the second hello is not to be sent. */
  readonly mayTrySecond?: boolean | undefined
  /** How long one handshake may take, in ms. */
  readonly timeout?: number | undefined
  /** True if an end of the front without close_notify is an ordinary end. */
  readonly mayEndAbruptly?: boolean | undefined
}

/** A stream to the front. */
export interface Front {
  readonly stream: Duplex
  /** The protocol that the front chose by ALPN. */
  readonly alpn: string | undefined
  /** Whose hello it was; undefined without TLS. */
  readonly browser: Browser | undefined
}

/**
 * Resolves with a stream to the front. Rejects as `connect` and connectTls do, with PT_CERTIFICATE if none of several names is
 * in the certificate, and with the reason of the session's signal.
 */
export async function dialFront({ session, target, tls }: DialFrontOptions): Promise<Front> {
  const dial: Dial = async () => await session.connect(target, session.cancellation ?? session.signal)
  if (tls === undefined) return { stream: await dial(), alpn: undefined, browser: undefined }
  const [first, second] = inOrder(tls)
  try {
    return await greet(dial, session.signal, tls, first)
  } catch (error) {
    if (second === undefined || !(error instanceof UnansweredHello) || session.signal.aborted) throw error
    const front = await greet(dial, session.signal, tls, second)
    tls.visit.answered = second.browser
    return front
  }
}

type Dial = () => Promise<Duplex>

/** The hello that was answered last comes first. */
function inOrder({ profile, visit, mayTrySecond }: FrontTls): [FrontHello, FrontHello | undefined] {
  const { first, second } = profile
  const turned = second !== undefined && visit.answered === second.browser
  const [one, other] = turned ? [second, first] : [first, second]
  return [one, mayTrySecond === false ? undefined : other]
}

/** One hello, and another one of the same browser if the front chose a protocol that cannot be used. */
async function greet(dial: Dial, signal: AbortSignal, tls: FrontTls, hello: FrontHello): Promise<Front> {
  const { form, visit } = tls
  const http1: FrontHello = { ...hello, alpn: ['http/1.1'] }
  // Firefox offers HTTP/2 for a WebSocket too, and comes again without it if the server then has no WebSockets in HTTP/2. A profile of
  // the user's own may be that of a page.
  const mayOfferHttp2 = hello.browser === 'firefox' || typeof hello.profile !== 'string'
  const begin = form === 'websocket' && visit.wantsHttp2 && mayOfferHttp2 ? http1 : hello
  const front = await shakeHands(await dial(), signal, tls, begin)
  if (form !== 'websocket' || front.alpn !== 'h2') return front
  front.stream.destroy()
  visit.wantsHttp2 = true
  return await shakeHands(await dial(), signal, tls, http1)
}

async function shakeHands(conn: Duplex, signal: AbortSignal, tls: FrontTls, hello: FrontHello): Promise<Front> {
  const { servername, verifyNames = [], pin, visit, timeout = TLS_TIME, mayEndAbruptly = false } = tls
  const [verifyName] = verifyNames.length > 1 ? ['*'] : verifyNames
  const stream = await connectTls(conn, {
    profile: hello.profile,
    servername,
    ...(verifyName === undefined ? {} : { verifyName }),
    ...(pin === undefined ? {} : { pin }),
    ...(hello.alpn === undefined ? {} : { alpn: hello.alpn }),
    tickets: visit.tickets,
    mayEndAbruptly,
    timeout,
    signal,
  })
  if (verifyNames.length > 1) requireOneOf(stream, verifyNames)
  return { stream, alpn: stream.alpn, browser: hello.browser }
}

/** connectTls has verified the chain, and knows one name only. */
function requireOneOf(stream: TlsConnection, names: readonly string[]): void {
  const { peerCertificate: x509 } = stream
  if (x509 !== undefined && names.some((name) => name === '*' || carries({ x509 }, name))) return
  stream.destroy()
  const message = "the server's certificate is for other names than those that were asked for"
  throw new PtError('PT_CERTIFICATE', message, { stage: 'certificate' })
}
