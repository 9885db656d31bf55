/** HTTP over a connection that a transport made. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:http'
import { performance } from 'node:perf_hooks'
import type { Duplex } from 'node:stream'
import { addAbortSignal } from 'node:stream'

export interface Download {
  readonly bytes: number
  readonly sha256: string
  readonly seconds: number
}

const HOST = 'demo.postern.example'

/** A whole request, byte for byte as it is written. */
export function formatRequest(path: string): Buffer {
  return Buffer.from(`GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`)
}

/** Writes `asked` and returns the body of the answer. */
export async function exchange(conn: Duplex, asked: Uint8Array, signal: AbortSignal): Promise<string> {
  conn.write(asked)
  const answer = (await readUntilEnd(conn, signal)).toString('latin1')
  return answer.slice(answer.indexOf('\r\n\r\n') + 4)
}

async function readUntilEnd(conn: Duplex, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of addAbortSignal(signal, conn)) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** Reads the whole body; `onProgress` hears of bytes and seconds at most ten times a second, and at the end. */
export async function download(
  conn: Duplex,
  path: string,
  signal: AbortSignal,
  onProgress: (bytes: number, seconds: number) => void,
): Promise<Download> {
  const hash = createHash('sha256')
  const start = performance.now()
  const seconds = (): number => (performance.now() - start) / 1000
  let bytes = 0
  let shown = 0
  // No `agent`, not even false: an agent of any kind makes its own connections and passes createConnection over.
  const asked = request({ path, headers: { host: HOST, connection: 'close' }, createConnection: () => conn, signal })
  asked.end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  for await (const chunk of response) {
    hash.update(chunk as Buffer)
    bytes += (chunk as Buffer).length
    if (seconds() - shown > 0.1) onProgress(bytes, (shown = seconds()))
  }
  onProgress(bytes, seconds())
  return { bytes, sha256: hash.digest('hex'), seconds: seconds() }
}
