/** Traffic for tests with real peers: many bytes each way, compared by SHA-256. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'

const MiB: number = 1024 * 1024

/** In hex. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Sends `megabytes` MiB each way at once; rejects where a side receives too little. Ends nothing: some peers then drop the rest. */
export async function exchange(
  a: Duplex,
  b: Duplex,
  megabytes: number,
): Promise<{ sent: string[]; received: string[] }> {
  const received = Promise.all([receive(b, megabytes * MiB), receive(a, megabytes * MiB)])
  const sent = Promise.all([send(a, megabytes), send(b, megabytes)])
  return { sent: await sent, received: await received }
}

async function send(conn: Duplex, megabytes: number): Promise<string> {
  const noise = randomBytes(MiB)
  const hash = createHash('sha256')
  for (let count = 0; count < megabytes; count++) {
    hash.update(noise)
    if (!conn.write(noise)) await once(conn, 'drain')
  }
  return hash.digest('hex')
}

function receive(conn: Duplex, size: number): Promise<string> {
  const hash = createHash('sha256')
  let left = size
  return new Promise((resolve, reject) => {
    const short = (): void => reject(new Error(`the connection closed ${left} bytes before the end`))
    const take = (chunk: Buffer): void => {
      hash.update(chunk)
      left -= chunk.length
      if (left > 0) return
      conn.off('error', reject).off('close', short).off('data', take).pause()
      if (left < 0) reject(new Error(`${-left} bytes too many arrived`))
      else resolve(hash.digest('hex'))
    }
    conn.on('error', reject).on('close', short).on('data', take)
  })
}
