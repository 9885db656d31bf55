/** A front with TLS, whose certificate the client trusts: the roots of this process are those of the test. */
import { writeFileSync } from 'node:fs'
import type { Http2SecureServer, ServerHttp2Stream } from 'node:http2'
import { createSecureServer } from 'node:http2'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { createServer } from 'node:tls'
import { listen } from 'postern/io'
import { onTestFinished } from 'vitest'
import { tempDir } from '../../support.ts'
import { authority } from '../../tls/authority.ts'

const { root, leaf } = authority(['front.example', 'other.example'])

/** The certificate and key of front.example and other.example. */
export const credentials: { readonly cert: string; readonly key: string } = { cert: leaf.pem, key: leaf.keyPem }

/** Makes the test's root the only one that is trusted, until the test has finished. */
export function trustRoot(): string {
  const file = join(tempDir(), 'root.pem')
  writeFileSync(file, root.pem)
  const before = process.env['SSL_CERT_FILE']
  process.env['SSL_CERT_FILE'] = file
  onTestFinished(() => {
    if (before === undefined) delete process.env['SSL_CERT_FILE']
    else process.env['SSL_CERT_FILE'] = before
  })
  return file
}

/** A server of HTTP/2. `answer` is given each request with its body. */
export async function http2Front(
  answer: (stream: ServerHttp2Stream, body: Buffer, fields: readonly string[]) => void,
): Promise<{ readonly port: number; readonly server: Http2SecureServer }> {
  const server = createSecureServer({ ...credentials })
  server.on('stream', (stream: ServerHttp2Stream, _headers: unknown, _flags: number, raw: readonly string[]) => {
    const chunks: Buffer[] = []
    stream
      .on('data', (chunk: Buffer) => void chunks.push(chunk))
      .on('end', () => answer(stream, Buffer.concat(chunks), raw))
      .on('error', () => undefined)
  })
  const sessions = new Set<{ destroy(): void }>()
  server.on('session', (session) => void sessions.add(session))
  const { port } = await listen(server, '127.0.0.1', 0)
  onTestFinished(() => {
    for (const session of sessions) session.destroy()
    server.close()
  })
  return { port, server }
}

/** A TLS server that chooses h2, and says no more: the decrypted bytes of its first connection. */
export async function h2Bytes(length: number): Promise<{ readonly port: number; readonly bytes: Promise<Buffer> }> {
  const open: TLSSocket[] = []
  let arrived: (bytes: Buffer) => void
  const bytes = new Promise<Buffer>((resolve) => (arrived = resolve))
  const server = createServer({ ...credentials, ALPNProtocols: ['h2'] }, (socket) => {
    let held = Buffer.alloc(0)
    open.push(socket)
    // An empty SETTINGS frame, which a client may wait for.
    socket.write(Buffer.from('000000040000000000', 'hex'))
    socket
      .on('error', () => undefined)
      .on('data', (chunk: Buffer) => {
        held = Buffer.concat([held, chunk])
        if (held.length >= length) arrived(held)
      })
  })
  const { port } = await listen(server, '127.0.0.1', 0)
  onTestFinished(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  return { port, bytes }
}
