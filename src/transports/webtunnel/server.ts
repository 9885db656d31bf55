/**
 * The server. It stands behind a web server that speaks TLS, or speaks TLS itself.
 *
 *     accept ── TLS, if it is ours ── request ─┬─ for the tunnel ── 101 ── the application's bytes
 *                                              └─ any other ─────── what the web server would say, and the next request
 *
 * The 101 goes out before the application is connected, as with webtunnel-server.
 */
import type { Duplex } from 'node:stream'
import { readExactly } from '../../io/read.ts'
import type { Cancellation } from '../../io/wait/cancellation.ts'
import { withDeadline } from '../../io/wait/deadline.ts'
import { acceptTls } from '../../tls/server-side.ts'
import type { Server, ServerOptions } from '../../transport.ts'
import { cancellationOf } from '../handshake.ts'
import { CertificateFiles } from '../web/certificate-files.ts'
import type { Decoy } from '../web/decoy.ts'
import { openDecoy } from '../web/decoy.ts'
import { clientAddress } from '../web/forwarded-for.ts'
import { answerPlain, firstWanted } from '../web/requests.ts'
import { argumentsForClients } from './arguments.ts'
import { readServerArguments } from './server-arguments.ts'
import { syntheticAddress } from './synthetic-address.ts'
import { formatUpgrade, upgradeTo } from './upgrade.ts'

/** The time for a client's part of the TLS handshake, in ms, as with nginx. */
const TLS_TIME = 60_000
/** What nginx agrees to without HTTP/2. */
const PROTOCOLS = ['http/1.1', 'http/1.0', 'http/0.9']
/** The type of a TLS record that holds a handshake. */
const HANDSHAKE = 0x16

/** Launches a server. Throws PT_ARGS for options with which it cannot serve. */
export async function webtunnelServer({ args, log }: ServerOptions): Promise<Server> {
  const { url, path, trust, decoy: shown, tls } = readServerArguments(args)
  const decoy = await openDecoy(shown)
  const files = tls === undefined ? undefined : await CertificateFiles.open(tls, log)
  const wants = upgradeTo(path)
  return {
    address: syntheticAddress(url),
    args: argumentsForClients(args),
    async accept(session) {
      const { conn } = session
      const signal = cancellationOf(session)
      const stream = files === undefined ? conn : await secured(conn, files, decoy, signal)
      const request = await firstWanted(stream, { decoy, wants, signal })
      const userAddr = clientAddress(conn, request.fields, trust)
      stream.write(formatUpgrade(request))
      return { stream, userAddr }
    },
  }
}

/** Shakes hands with a client that speaks TLS. Its first byte tells. */
async function secured(conn: Duplex, files: CertificateFiles, decoy: Decoy, signal: Cancellation): Promise<Duplex> {
  return await withDeadline(TLS_TIME, 'the TLS handshake', signal, async (signal) => {
    const first = await readExactly(conn, 1, signal)
    conn.unshift(first)
    if (first[0] !== HANDSHAKE) return await answerPlain(conn, { decoy, signal })
    return await acceptTls(conn, await files.current(), PROTOCOLS, signal)
  })
}
