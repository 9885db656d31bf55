/** The server of meek: HTTP on the connections that come, and sessions in the requests. */
import type { Server, ServerOptions, ServerSession } from '../../transport.ts'
import { cancellationOf } from '../handshake.ts'
import { CertificateFiles } from '../web/certificate-files.ts'
import { openDecoy } from '../web/decoy.ts'
import { parseTrust } from '../web/forwarded-for.ts'
import { HttpService } from './http-service.ts'
import { respond } from './respond.ts'
import { readAddress, readCertificatePaths, readLine, readPaths } from './server-arguments.ts'
import type { ServerLimits } from './server-limits.ts'
import { serverLimits } from './server-limits.ts'
import { Sessions } from './sessions.ts'

/** Throws PT_ARGS if an option, or a file that it names, cannot be used. Tests change the limits. */
export async function meekServer(
  { args, log, deliver }: ServerOptions,
  changed: Partial<ServerLimits> = {},
): Promise<Server> {
  const limits = { ...serverLimits, ...changed }
  const address = readAddress(args)
  const certificatePaths = readCertificatePaths(args)
  const certificates = certificatePaths && (await CertificateFiles.open(certificatePaths, log))
  const decoy = await openDecoy(args.get('decoy'))
  const sessions = new Sessions(limits, log)
  const responder = { limits, decoy, sessions, trust: parseTrust(args.get('trust')), paths: readPaths(args), deliver }
  const http = new HttpService({
    limits,
    decoy,
    certificates,
    respond: (exchange, conn) => respond(exchange, conn, responder),
  })
  return {
    args: readLine(args),
    ...(address === undefined ? {} : { address }),
    async accept(session: ServerSession) {
      await http.enter(session.conn, cancellationOf(session))
      return undefined
    },
    close() {
      sessions.close()
      http.close()
    },
  }
}
