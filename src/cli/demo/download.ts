/** HTTP over a connection that a transport made. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:http'
import { performance } from 'node:perf_hooks'
import type { Duplex } from 'node:stream'

export interface Download {
  readonly bytes: number
  readonly sha256: string
  readonly seconds: number
}

export const HOST = 'demo.postern.example'

/** The bytes of a request as they would cross the wire without a transport. */
export function plainRequest(path: string): Buffer {
  return Buffer.from(`GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`)
}

async function get(conn: Duplex, path: string): Promise<IncomingMessage> {
  const asked = request({ path, headers: { host: HOST }, agent: false, createConnection: () => conn })
  asked.end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  return response
}

export async function fetchText(conn: Duplex, path: string): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of await get(conn, path)) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

/** Reads the whole body; `onProgress` hears of bytes and seconds at most ten times a second, and at the end. */
export async function download(
  conn: Duplex,
  path: string,
  onProgress: (bytes: number, seconds: number) => void,
): Promise<Download> {
  const hash = createHash('sha256')
  const start = performance.now()
  const seconds = (): number => (performance.now() - start) / 1000
  let bytes = 0
  let shown = 0
  for await (const chunk of await get(conn, path)) {
    hash.update(chunk as Buffer)
    bytes += (chunk as Buffer).length
    if (seconds() - shown > 0.1) onProgress(bytes, (shown = seconds()))
  }
  onProgress(bytes, seconds())
  return { bytes, sha256: hash.digest('hex'), seconds: seconds() }
}
