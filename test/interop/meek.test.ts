/** Our client beside our server: bytes both ways, and how each end shows at the other one. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { readExactly } from 'postern/io'
import { describe, expect, test } from 'vitest'
import { tempDir } from '../support.ts'
import { dial } from '../transports/meek/scripted-front.ts'
import { credentials, trustRoot } from '../transports/meek/secure-front.ts'
import { serveMeek } from '../transports/meek/served.ts'

const SIZE = 1 << 20

const urls = { 'HTTP/1.1': 'http://front.example/', 'TLS and HTTP/2': 'https://front.example/' } as const

interface Pair {
  readonly near: Duplex
  readonly far: Duplex
}

async function connected(how: keyof typeof urls): Promise<Pair> {
  trustRoot()
  const [cert, key] = ['cert.pem', 'key.pem'].map((name) => join(tempDir(), name)) as [string, string]
  writeFileSync(cert, credentials.cert)
  writeFileSync(key, credentials.key)
  const server = await serveMeek({}, urls[how].startsWith('https') ? { 'tls-cert': cert, 'tls-key': key } : {})
  const near = await dial(server.port, { args: { url: urls[how] } })
  const { stream } = await server.next()
  return { near, far: stream.on('error', () => undefined) }
}

describe.each(Object.keys(urls) as (keyof typeof urls)[])('over %s', (how) => {
  test('bytes go both ways at once, whole and in order', async () => {
    const { near, far } = await connected(how)
    const [up, down] = [randomBytes(SIZE), randomBytes(SIZE)]
    near.write(up)
    far.write(down)
    const [upward, downward] = await Promise.all([readExactly(far, SIZE), readExactly(near, SIZE)])
    expect(upward.equals(up)).toBe(true)
    expect(downward.equals(down)).toBe(true)
  })

  test('the end of the server’s application is an end for the client’s, after all that it said, and no error', async () => {
    const { near, far } = await connected(how)
    const last = randomBytes(200_000)
    far.end(last)
    const chunks: Buffer[] = []
    near.on('data', (chunk: Buffer) => void chunks.push(chunk))
    await once(near, 'end')
    expect(Buffer.concat(chunks).equals(last)).toBe(true)
  })
})
