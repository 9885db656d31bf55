/**
 * What a rehearsal plays. A client shakes hands with a front of this process, over TLS, and comes again with a ticket; what an observer can
 * time is its hello. A server is asked as its front asks it, without TLS.
 */
import { Args } from '../../ipc/index.ts'
import { headEnd } from '../../http1/head.ts'
import { formatResponse } from '../../http1/response.ts'
import { readMessage } from '../../io/read.ts'
import { chainHash } from '../../tls/certificates/pin.ts'
import { acceptTls, serverContext } from '../../tls/server-side.ts'
import type { Client, Rehearsal, Server } from '../../transport.ts'
import { cancellationOf } from '../handshake.ts'
import { throwawayCertificate } from '../web/throwaway-certificate.ts'
import { HEAD_LIMIT } from './answer.ts'
import { webtunnelClient } from './client.ts'
import { webtunnelServer } from './server.ts'

const silent = { log: () => undefined, status: () => undefined }
const url = 'https://localhost/'
const ANSWER = formatResponse(101, 'Switching Protocols', [['Upgrade', 'websocket']])

/** The two ends for the rehearsal of one of them. */
export async function rehearsalOf(role: 'client' | 'server'): Promise<Rehearsal> {
  if (role === 'server') {
    const options = { ...silent, stateDir: '', args: Args.from({ url }), deliver: () => undefined }
    const server = await webtunnelServer({ ...options, replays: { testAndSet: () => true } })
    return { client: dialling({ url: 'http://localhost/' }), server }
  }
  const { der, cert, key } = throwawayCertificate()
  return { client: dialling({ url, cert: chainHash([der]).toString('base64') }), server: front(cert, key) }
}

/** A client that takes the target of the session for its front. */
function dialling(init: Readonly<Record<string, string>>): Client {
  const [client, args] = [webtunnelClient(silent), Args.from(init)]
  return {
    dial: async (session) =>
      await client.dial({
        ...silent,
        target: session.target,
        args,
        connect: async (_host, signal) => await session.connect(session.target, signal),
        signal: session.signal,
        cancellation: cancellationOf(session),
      }),
  }
}

/** A front with TLS that lets everything in. */
function front(cert: Buffer, key: Buffer): Server {
  const context = serverContext(cert, key, (_part, why) => new Error(why))
  return {
    async accept(session) {
      const signal = cancellationOf(session)
      const stream = await acceptTls(session.conn, context, ['http/1.1'], signal)
      await readMessage(
        stream,
        headEnd(HEAD_LIMIT, () => new Error('no request')),
        signal,
      )
      stream.write(ANSWER)
      return stream
    },
  }
}
