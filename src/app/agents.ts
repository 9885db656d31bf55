/**
 * HTTP through a bridge, for node:http, node:https and fetch. What stands behind the bridge answers, whatever host the URL
 * names: the host is sent along (Host, and SNI with https) and never looked up.
 *
 *     https.get('https://example.com/', { agent: httpsAgent(bridge) })
 *     fetch('https://example.com/', { dispatcher: await bridgeDispatcher(bridge) })
 */
import type { AgentOptions, ClientRequestArgs } from 'node:http'
import { Agent as HttpAgent } from 'node:http'
import type { AgentOptions as HttpsAgentOptions } from 'node:https'
import { Agent as HttpsAgent } from 'node:https'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ConnectionOptions } from 'node:tls'
import { connect as connectTls } from 'node:tls'
import type { Agent as UndiciAgent } from 'undici'
import type { Bridge } from './bridge.ts'
import { socketLike } from './socket-like.ts'

/** An agent for http: URLs. Options are those of http.Agent; the bridge outlives the agent. */
export function httpAgent(bridge: Bridge, options?: AgentOptions): HttpAgent {
  return Object.assign(new HttpAgent(options), {
    createConnection: (_options: ClientRequestArgs, made: Created) => {
      deliver(bridge, made, (conn) => conn)
    },
  })
}

/** An agent for https: URLs: TLS with what stands behind the bridge. Options are those of https.Agent. */
export function httpsAgent(bridge: Bridge, options?: HttpsAgentOptions): HttpsAgent {
  return Object.assign(new HttpsAgent(options), {
    createConnection: (tls: ConnectionOptions, made: Created) => {
      deliver(bridge, made, (socket) => connectTls({ ...tls, socket, ...serverName(tls) }))
    },
  })
}

/** What `fetch(url, { dispatcher })` takes. */
export type FetchDispatcher = NonNullable<RequestInit['dispatcher']>

/**
 * What Node's fetch takes as `dispatcher`, and everything else of undici. Options are those of undici's Agent but for
 * `connect`. Loads undici when it is called. Call its close() before the bridge's, or just close the bridge.
 */
export async function bridgeDispatcher(bridge: Bridge, options?: UndiciAgent.Options): Promise<FetchDispatcher> {
  const { Agent, buildConnector } = await import('undici')
  const encrypt = buildConnector({})
  const agent = new Agent({
    ...options,
    connect: (target, made) => {
      const fail = (error: Error): void => made(error, null)
      bridge.connect().then(
        (conn) => {
          const socket = socketLike(conn) as Parameters<typeof made>[1] & Duplex
          if (target.protocol === 'https:') encrypt({ ...target, httpSocket: socket }, made)
          else made(null, socket)
        },
        (error: unknown) => fail(error as Error),
      )
    },
  })
  // The types of the fetch of @types/node and of undici are two copies of the same.
  return agent as unknown as FetchDispatcher
}

type Created = (error: Error | null, conn?: Duplex) => void

function deliver(bridge: Bridge, made: Created, wrap: (conn: Duplex) => Duplex): void {
  bridge.connect().then(
    (conn) => made(null, wrap(socketLike(conn))),
    (error: unknown) => made(error as Error),
  )
}

/** Node puts the servername into the options of a request, unless the host is an IP address. */
function serverName({ servername, host }: ConnectionOptions): { servername?: string } {
  if (servername !== undefined && servername !== '') return { servername }
  return host === undefined || isIP(host) !== 0 ? {} : { servername: host }
}
