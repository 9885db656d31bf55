/** The examples of docs/api/io.md. */
import { createServer } from 'node:net'
import { PassThrough } from 'node:stream'
import { framed, listen, readExactly, readUntil, relay } from 'postern/io'
import { expect, onTestFinished, test } from 'vitest'
import { socketPair } from '../../io/streams.ts'
import { echoed } from '../../support.ts'

test('readExactly', async () => {
  const conn = new PassThrough()
  conn.write('\x05\x01\x00surplus')
  // example: readExactly
  const greeting = await readExactly(conn, 3)
  expect(greeting.toString('hex')).toBe('050100')
  // What follows stays in `conn`.
  expect(String(conn.read())).toBe('surplus')
  // end
})

test('readUntil', async () => {
  const conn = new PassThrough()
  conn.write('GET / HTTP/1.1\r\n\r\nbody')
  // example: readUntil
  const head = await readUntil(conn, Buffer.from('\r\n\r\n'), 65_536)
  expect(String(head)).toBe('GET / HTTP/1.1\r\n\r\n')
  // end
})

test('framed', async () => {
  const [near, far] = await socketPair()
  // example: framed
  const flip = (bytes: Uint8Array): Uint8Array => bytes.map((byte) => byte ^ 0xff)
  const codec = { encode: flip, decode: (chunk: Uint8Array) => [flip(chunk)] }
  const stream = framed(near, codec)
  stream.write('hello') // goes out as 97 9a 93 93 90
  // end
  expect((await readExactly(far, 5)).toString('hex')).toBe('979a939390')
})

test('relay', async () => {
  const [application, a] = await socketPair()
  const [b, service] = await socketPair()
  service.pipe(service)
  // example: relay
  const carried = relay(a, b) // resolves when both have ended
  // end
  expect(await echoed(application, 'through')).toBe('through')
  await carried
})

test('listen', async () => {
  // example: listen
  const server = createServer((conn) => conn.end('hello'))
  const { port } = await listen(server, '127.0.0.1', 0)
  // end
  onTestFinished(() => void server.close())
  expect(port).toBeGreaterThan(0)
})
