/**
 * An upstream proxy that is given by name: looked up at each connection, and never gone around.
 *
 *     PT, or a built-in transport ── 127.0.0.1:door ── look-up ── proxy.corp.example:3128 ── bridge
 *
 * A PT takes a proxy as an IP address that does not change, and a name is looked up here instead, as a PT may not (ANON-2). The
 * door passes bytes on and reads none: user name and password go through it from the PT or the transport. If the name cannot be
 * resolved or the proxy does not answer, the connection ends, and for the caller that is an error of the proxy.
 */
import type { Socket } from 'node:net'
import { createServer, isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { PtError } from '../error.ts'
import { stageOf } from '../failure.ts'
import { silenceErrors } from '../io/ends.ts'
import { listen } from '../io/tcp/listen.ts'
import { relay } from '../io/carry/relay.ts'
import type { ProxyUri } from '../ipc/index.ts'
import { formatProxyUri, isHostName, parseProxyUri, parseTarget } from '../ipc/index.ts'
import { makeConnect } from '../upstream/index.ts'

/** The time for the look-up and the connection together, in ms. */
const CONNECT_TIMEOUT = 30_000

export interface NamedProxy {
  /** The rest of the URI; its address is a stand-in if the proxy is a name. */
  readonly uri: ProxyUri
  /** `<host>:<port>`. */
  readonly target: string
  readonly isName: boolean
}

/** Reads a proxy URI as people write it: with a name, and `socks5h` for socks5. Throws PT_PROXY_URI. */
export function parseNamedProxy(text: string): NamedProxy {
  const [, scheme = '', userinfo = '', address = ''] = /^([^:/]*:\/\/)(.*@)?([^@/]*)\/?$/s.exec(text) ?? []
  if (isHostName(address)) throw new PtError('PT_PROXY_URI', 'the port of the proxy is missing')
  const type = scheme.replace(/^socks5h:/i, 'socks5:')
  const named = nameOf(address)
  const uri = parseProxyUri(
    named === undefined ? text.replace(scheme, type) : `${type}${userinfo}127.0.0.1:${named.port}`,
  )
  return { uri, target: address, isName: named !== undefined }
}

export interface ProxyDoor {
  /** The URI for TOR_PT_PROXY and makeConnect; undefined without a proxy. */
  readonly proxy: string | undefined
  close(): Promise<void>
}

/** Opens a door if the proxy is a name; `onFailure` hears why a connection to it cannot be made. Throws PT_PROXY_URI. */
export async function openProxyDoor(
  text: string | undefined,
  onFailure: (message: string) => void,
): Promise<ProxyDoor> {
  if (text === undefined) return { proxy: undefined, close: async () => {} }
  const { uri, target, isName } = parseNamedProxy(text)
  if (!isName) return { proxy: formatProxyUri(uri), close: async () => {} }
  const connect = makeConnect({ connectTimeout: CONNECT_TIMEOUT })
  const open = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (conn) => {
    open.add(silenceErrors(conn))
    conn.once('close', () => open.delete(conn))
    void pass(conn, () => connect(target, whileOpen(conn)), onFailure)
  })
  const address = await listen(server, '127.0.0.1', 0)
  server.on('error', () => undefined)
  return {
    proxy: formatProxyUri({ ...uri, address }),
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const conn of open) conn.destroy()
      await closed
    },
  }
}

/** Passes one connection on. Never rejects: the caller sees the end of its connection. */
async function pass(conn: Socket, connect: () => Promise<Duplex>, onFailure: (message: string) => void): Promise<void> {
  try {
    const proxy = await connect()
    if (conn.destroyed) return void proxy.destroy()
    await relay(conn, proxy).catch(() => undefined)
  } catch (error) {
    if (!conn.destroyed) onFailure(`the upstream proxy: ${whyUnreachable(error)}`)
    conn.destroy()
  }
}

function whyUnreachable(error: unknown): string {
  const isLookUp = stageOf(error) === 'dns'
  return isLookUp ? 'its name cannot be resolved' : 'no connection to it can be made'
}

/** Makes a signal that aborts when the connection closes. */
function whileOpen(conn: Socket): AbortSignal {
  const controller = new AbortController()
  conn.once('close', () =>
    controller.abort(new PtError('PT_CLOSED', 'the connection to the proxy is no longer wanted')),
  )
  return controller.signal
}

function nameOf(address: string): { readonly port: number } | undefined {
  try {
    const { host, port } = parseTarget(address)
    return isIP(host) === 0 ? { port } : undefined
  } catch {
    return undefined
  }
}
