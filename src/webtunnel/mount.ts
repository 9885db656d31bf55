/**
 * A webtunnel bridge in a web server that is there already: the program's own http.Server keeps all its pages, and requests for one
 * secret path become tunnels.
 *
 *     upgrade event ─┬─ for the tunnel ──────────────── 101 ── onConnection
 *                    ├─ another listener is there ───── it is for that one, such as that of a WebSocket
 *                    └─ no other listener ───────────── the program's own answer, as to any request for that path
 */
import type { IncomingMessage, Server as HttpServer } from 'node:http'
import { ServerResponse } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { PtError } from '../error.ts'
import type { Field } from '../http1/fields.ts'
import type { ArgsInit } from '../ipc/index.ts'
import { Args, formatAddress, formatFinding } from '../ipc/index.ts'
import { silenceErrors } from '../io/ends.ts'
import { formatBridgeLine } from '../lines/bridge-line.ts'
import { checkArgument, checkOptions } from '../options.ts'
import { readUserAddress } from '../sessions/user-address.ts'
import { clientAddress } from '../transports/web/forwarded-for.ts'
import { argumentsForClients, webtunnelArguments } from '../transports/webtunnel/arguments.ts'
import { readServerArguments } from '../transports/webtunnel/server-arguments.ts'
import { syntheticAddress } from '../transports/webtunnel/synthetic-address.ts'
import { formatUpgrade, upgradeTo } from '../transports/webtunnel/upgrade.ts'
import { aWebServer, mountChecks } from './option-checks.ts'

/** The options of mountWebtunnel. */
export interface MountOptions {
  /** What clients ask for, `https://host/path`: its path is the secret of the bridge. */
  readonly url: string
  /** Takes each tunnel. What it throws is an uncaught exception, as with any listener. */
  readonly onConnection: (stream: Duplex, client: MountedClient) => void
  /** The path as it comes to this server, if a web server in front of it changes that of `url`. */
  readonly path?: string | undefined
  /** Fronts whose X-Forwarded-For counts besides those of this machine: IP addresses and subnets with commas between them. */
  readonly trust?: string | undefined
  /** More arguments for the bridge line, such as `servername`. */
  readonly args?: ArgsInit | undefined
}

/** What is known of the client of a tunnel. */
export interface MountedClient {
  /** Its `<ip>:<port>`, IPv6 in brackets; the port is 1 if a front has not said it. Undefined if the connection has closed. */
  readonly userAddr: string | undefined
}

/** A bridge in a web server. */
export interface MountedBridge {
  /** The line to hand out. */
  readonly bridgeLine: string
  /** Takes no more tunnels. Those that are open go on. */
  readonly unmount: () => void
}

/**
 * Serves webtunnel's clients by `server`, beside everything else that it serves. A request for the secret path that is no upgrade is
 * the program's to answer, like one for any path that it does not have. The streams have no frames, and one end ends both directions.
 * Throws PT_OPTION, or PT_ARGS for an option with which no client could connect.
 */
export function mountWebtunnel(server: HttpServer | HttpsServer, options: MountOptions): MountedBridge {
  checkArgument('mountWebtunnel', 'server', server, aWebServer)
  checkOptions('mountWebtunnel', options, mountChecks)
  const args = optionsOf(options)
  const { url, path, trust } = readServerArguments(args)
  const wants = upgradeTo(path)
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const fields = fieldsOf(request)
    const asked = { method: request.method ?? '', target: request.url ?? '', minor: request.httpVersionMinor, fields }
    if (!wants(asked)) {
      if (server.listenerCount('upgrade') === 1) answerAsPage(server, request, socket)
      return
    }
    silenceErrors(socket)
    if (head.length > 0) socket.unshift(head)
    const client = { userAddr: readUserAddress(clientAddress(socket, fields, trust)) }
    socket.write(formatUpgrade(asked))
    options.onConnection(socket, client)
  }
  server.on('upgrade', upgrade)
  const line = {
    transport: 'webtunnel',
    address: formatAddress(syntheticAddress(url)),
    args: argumentsForClients(args),
  }
  return { bridgeLine: formatBridgeLine(line), unmount: () => void server.off('upgrade', upgrade) }
}

function optionsOf({ url, path, trust, args = Args.none }: MountOptions): Args {
  const own: [string, string | undefined][] = [
    ['url', url],
    ['path', path],
    ['trust', trust],
  ]
  const given = own.filter((pair): pair is [string, string] => pair[1] !== undefined)
  const all = Args.from([...given, ...Args.from(args)])
  const fault = webtunnelArguments.check(all, 'server').find(({ severity }) => severity === 'error')
  if (fault === undefined) return all
  throw new PtError('PT_ARGS', formatFinding(fault), { stage: 'argument' })
}

function fieldsOf({ rawHeaders }: IncomingMessage): Field[] {
  return Array.from(
    { length: rawHeaders.length / 2 },
    (_, at) => [rawHeaders[2 * at]!, rawHeaders[2 * at + 1]!] as const,
  )
}

/** Node has taken the request out of its own hands, as there is a listener. It is put back, and its connection ends after the answer. */
function answerAsPage(server: HttpServer | HttpsServer, request: IncomingMessage, socket: Duplex): void {
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  response.assignSocket(silenceErrors(socket) as Socket)
  response.on('finish', () => {
    response.detachSocket(socket as Socket)
    socket.end()
    socket.resume()
  })
  server.emit('request', request, response)
}
