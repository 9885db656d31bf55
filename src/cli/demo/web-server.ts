/** The application behind the PT server: a web server on 127.0.0.1 that serves one file. */
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import { listen } from '../../io/tcp/listen.ts'
import type { Address } from '../../ipc/index.ts'

const CHUNK = 1 << 20

/** Writes a file of `size` random bytes and returns its SHA-256 in hex. */
export async function makeFile(path: string, size: number): Promise<string> {
  const hash = createHash('sha256')
  const file = await open(path, 'wx', 0o600)
  try {
    for (let written = 0; written < size; written += CHUNK) {
      const chunk = randomBytes(Math.min(CHUNK, size - written))
      hash.update(chunk)
      await file.write(chunk)
    }
  } finally {
    await file.close()
  }
  return hash.digest('hex')
}

export interface WebServer extends AsyncDisposable {
  readonly address: Address
}

/** Serves `path` as `/file`, and a greeting as everything else. */
export async function serveFile(path: string): Promise<WebServer> {
  const { size } = await stat(path)
  const server = createServer((request, response) => {
    if (request.url !== '/file') return void response.end('Hello through the transport.\n')
    response.writeHead(200, { 'content-length': size, 'content-type': 'application/octet-stream' })
    createReadStream(path, { highWaterMark: CHUNK }).pipe(response)
  })
  const address = await listen(server, '127.0.0.1', 0)
  return {
    address,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
