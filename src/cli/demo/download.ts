/** HTTP over a connection that a transport made. */
import { createHash } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import type { Duplex } from 'node:stream'
import { addAbortSignal } from 'node:stream'
import { readUntil } from '../../io/read.ts'

export interface Download {
  readonly bytes: number
  readonly sha256: string
  readonly seconds: number
}

const HOST = 'demo.postern.example'
const EMPTY_LINE = Buffer.from('\r\n\r\n')
const HEAD_LIMIT = 16_384

/** Makes a whole request, byte for byte as it is written. */
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
  // From Node 24 on the loop above leaves our own half open.
  conn.destroy()
  return Buffer.concat(chunks)
}

/** Asks for `path` and reads the whole body; `onProgress` hears of bytes and seconds ten times a second, and at the end. */
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
  conn.write(formatRequest(path))
  await readUntil(conn, EMPTY_LINE, HEAD_LIMIT, signal)
  for await (const chunk of addAbortSignal(signal, conn)) {
    hash.update(chunk as Buffer)
    bytes += (chunk as Buffer).length
    if (seconds() - shown > 0.1) onProgress(bytes, (shown = seconds()))
  }
  conn.destroy()
  onProgress(bytes, seconds())
  return { bytes, sha256: hash.digest('hex'), seconds: seconds() }
}
