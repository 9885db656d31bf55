/**
 * upgrade, a transport behind a web server: the client asks by HTTP for another protocol on the same connection, and the web
 * server in front passes that on and says in a header who has asked. It protects nothing by itself; webtunnel does the same
 * inside of HTTPS.
 *
 *     client → front    GET /path HTTP/1.1 … Upgrade: postern
 *     front → server    the same, with X-Forwarded-For: 203.0.113.7
 *     server → client   HTTP/1.1 101 Switching Protocols …             from here on every byte is the application's
 *
 *     TOR_PT_SERVER_TRANSPORT_OPTIONS=upgrade:path=/secret;upgrade:front=203.0.113.80\:80
 *     SMETHOD upgrade 203.0.113.80:80 ARGS:path=/secret
 *
 * The header is only worth something if no other program than the front can connect: let the server listen on 127.0.0.1.
 */
import type { Duplex } from 'node:stream'
import { parseAddress, PtError } from 'postern'
import { readUntil } from 'postern/io'
import type { Args, Transport } from 'postern/transport'

const HEAD_LIMIT = 8_192
const END = Buffer.from('\r\n\r\n')
const ACCEPTED = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: postern\r\n\r\n'
const REFUSED = 'HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'

function pathOf(args: Args, fallback?: string): string {
  const path = args.get('path') ?? fallback
  if (path !== undefined && /^\/[\w./~-]*$/.test(path)) return path
  throw new PtError('PT_ARGS', "argument 'path' is missing, or is no path", { stage: 'argument' })
}

async function headOf(conn: Duplex, signal: AbortSignal): Promise<string[]> {
  return (await readUntil(conn, END, HEAD_LIMIT, signal)).toString('latin1').split('\r\n')
}

/** The last value of a field: a client may have written one of its own before the front's. */
function fieldOf(lines: readonly string[], name: string): string | undefined {
  const values = lines.filter((line) => line.toLowerCase().startsWith(`${name}:`))
  return values
    .at(-1)
    ?.slice(name.length + 1)
    .split(',')
    .at(-1)
    ?.trim()
}

export const upgrade: Transport = {
  name: 'upgrade',
  client: () => ({
    async dial({ target, args, connect, signal }) {
      const [path, host] = [pathOf(args), args.get('host') ?? target]
      const conn = await connect(target, signal)
      try {
        conn.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: postern\r\n\r\n`)
        const [status = ''] = await headOf(conn, signal)
        if (status.startsWith('HTTP/1.1 101 ')) return conn
        throw new PtError('PT_HANDSHAKE', 'the web server did not change the protocol', { stage: 'auth' })
      } catch (error) {
        conn.destroy()
        throw error
      }
    },
  }),
  server({ args }) {
    const path = pathOf(args, '/')
    const front = args.get('front')
    return {
      args: { path },
      ...(front === undefined ? {} : { address: parseAddress(front) }),
      async accept({ conn, signal }) {
        const [request = '', ...fields] = await headOf(conn, signal)
        if (request !== `GET ${path} HTTP/1.1` || fieldOf(fields, 'upgrade') !== 'postern') {
          conn.end(REFUSED)
          throw new PtError('PT_HANDSHAKE', 'a request for something else')
        }
        conn.write(ACCEPTED)
        return { stream: conn, userAddr: fieldOf(fields, 'x-forwarded-for') }
      },
    }
  },
}

export default upgrade
