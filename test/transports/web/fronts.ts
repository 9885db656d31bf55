/** Fronts on loopback that are gone with their test, with certificates of an authority that this process trusts. */
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { connect, createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TlsOptions, TLSSocket } from 'node:tls'
import { createServer } from 'node:tls'
import { listen, readExactly } from 'postern/io'
import { afterAll, onTestFinished } from 'vitest'
import { authority } from '../../tls/authority.ts'
import { extensionData, parseHello } from '../../tls/client-hello.ts'

export const host = 'bridge.example'
/** Another name of the same certificate. */
export const otherHost = 'other.example'
export const { root, leaf } = authority([host, otherHost])

const folder = mkdtempSync(join(tmpdir(), 'postern-roots-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const file = join(folder, 'roots.pem')
writeFileSync(file, root.pem)
process.env['SSL_CERT_FILE'] = file

/** What a front saw of one connection, after its handshake. */
interface Seen {
  readonly servername: string | false
  readonly alpn: string | false | null
  readonly resumed: boolean
}

export interface TestFront {
  readonly port: number
  readonly seen: Seen[]
  /** The name in each hello, also if no handshake came of it. */
  readonly asked: string[]
}

/** A TLS server, which hands each connection to `use`. */
export async function tlsFront(use: (conn: TLSSocket) => unknown, options: TlsOptions = {}): Promise<TestFront> {
  const seen: Seen[] = []
  const asked: string[] = []
  const SNICallback: TlsOptions['SNICallback'] = (name, chosen) => {
    asked.push(name)
    chosen(null)
  }
  const server = createServer({ key: leaf.keyPem, cert: leaf.pem + root.pem, SNICallback, ...options }, (conn) => {
    seen.push({ servername: conn.servername ?? false, alpn: conn.alpnProtocol, resumed: conn.isSessionReused() })
    conn.on('error', () => undefined)
    use(conn)
  })
  const open = new Set<Socket>()
  server.on('connection', (conn: Socket) => void open.add(conn)).on('tlsClientError', () => undefined)
  const { port } = await listen(server, '127.0.0.1', 0)
  onTestFinished(() => {
    for (const conn of open) conn.destroy()
    server.close()
  })
  return { port, seen, asked }
}

/** A middlebox before a front: what it does with a hello, by the protocols that it offers. */
export type Judge = (offersHttp2: boolean, conn: Socket) => 'pass' | 'done'

export interface Middlebox {
  readonly port: number
  /** True for each hello that offered HTTP/2. */
  readonly hellos: boolean[]
  /** Each hello with the header of its record. */
  readonly records: Buffer[]
  /** Sends these bytes in place of what the front still sends, and ends. */
  cut(bytes: Buffer): void
  /** The last 24 bytes of each client that has ended: with TLS, a record that may hold an alert. */
  readonly lastWords: string[]
}

/** Reads each hello before `port` does. */
export async function middlebox(port: number, judge: Judge): Promise<Middlebox> {
  const hellos: boolean[] = []
  const records: Buffer[] = []
  const lastWords: string[] = []
  let cut: Middlebox['cut'] = () => undefined
  const open = new Set<Socket>()
  const server = createTcpServer({ allowHalfOpen: true, noDelay: true }, (conn) => {
    open.add(conn.on('error', () => undefined))
    void judged(conn).catch(() => conn.destroy())
  })
  const judged = async (conn: Socket): Promise<void> => {
    const header = await readExactly(conn, 5)
    const body = await readExactly(conn, header.readUInt16BE(3))
    const offersHttp2 = protocolsOf(body).includes('h2')
    hellos.push(offersHttp2)
    records.push(Buffer.concat([header, body]))
    if (judge(offersHttp2, conn) === 'done') return
    const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true }).on('error', () => undefined)
    open.add(far)
    await once(far, 'connect')
    far.write(Buffer.concat([header, body]))
    let last = Buffer.alloc(0)
    conn.on('data', (chunk: Buffer) => (last = Buffer.concat([last, chunk]).subarray(-24)))
    conn.once('end', () => lastWords.push(last.toString('hex')))
    conn.pipe(far).pipe(conn)
    cut = (bytes) => {
      far.unpipe(conn)
      conn.end(bytes)
    }
  }
  const { port: own } = await listen(server, '127.0.0.1', 0)
  onTestFinished(() => {
    for (const conn of open) conn.destroy()
    server.close()
  })
  return { port: own, hellos, records, lastWords, cut: (bytes) => cut(bytes) }
}

/** The protocols of a ClientHello. */
function protocolsOf(hello: Buffer): string[] {
  const data = extensionData(parseHello(hello), 0x10) ?? Buffer.alloc(0)
  const names: string[] = []
  for (let at = 2; at < data.length; at += 1 + data[at]!) names.push(String(data.subarray(at + 1, at + 1 + data[at]!)))
  return names
}
