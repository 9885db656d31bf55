/**
 * HTTP through a bridge, for node:http and node:https. The server behind the bridge answers, whatever host the URL
 * names: the host is sent along (Host, and SNI with https) and never looked up.
 *
 *     https.get('https://example.com/', { agent: httpsAgent(bridge) })
 */
import type { AgentOptions, ClientRequestArgs } from 'node:http'
import { Agent as HttpAgent } from 'node:http'
import type { AgentOptions as HttpsAgentOptions } from 'node:https'
import { Agent as HttpsAgent } from 'node:https'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ConnectionOptions } from 'node:tls'
import { connect as connectTls } from 'node:tls'
import { checkArgument } from '../options.ts'
import type { Bridge } from '../bridges/bridge.ts'
import { aBridge } from '../bridges/option-checks.ts'

/** Makes an agent for http: URLs. Its options are those of http.Agent; the bridge outlives the agent. */
export function httpAgent(bridge: Bridge, options?: AgentOptions): HttpAgent {
  checkArgument('httpAgent', 'bridge', bridge, aBridge)
  return Object.assign(new HttpAgent(options), {
    createConnection: (_options: ClientRequestArgs, made: Created) => {
      deliver(bridge, made, (conn) => conn)
    },
  })
}

/** Makes an agent for https: URLs, which speaks TLS with the server behind the bridge. Its options are those of https.Agent. */
export function httpsAgent(bridge: Bridge, options?: HttpsAgentOptions): HttpsAgent {
  checkArgument('httpsAgent', 'bridge', bridge, aBridge)
  return Object.assign(new HttpsAgent(options), {
    createConnection: (tls: ConnectionOptions, made: Created) => {
      deliver(bridge, made, (socket) => connectTls({ ...tls, socket, ...serverName(tls) }))
    },
  })
}

type Created = (error: Error | null, conn?: Duplex) => void

function deliver(bridge: Bridge, made: Created, wrap: (conn: Duplex) => Duplex): void {
  bridge.connect().then(
    (conn) => made(null, wrap(conn)),
    (error: unknown) => made(error as Error),
  )
}

/** Node puts the servername into the options of a request, unless the host is an IP address. */
function serverName({ servername, host }: ConnectionOptions): { servername?: string } {
  if (servername !== undefined && servername !== '') return { servername }
  return host === undefined || isIP(host) !== 0 ? {} : { servername: host }
}
