import { Duplex, duplexPair } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { readUntil } from '../../src/io/read.ts'

const NUL = Uint8Array.of(0)

test('readUntil leaves surplus bytes in a stream that ends with them', async () => {
  const stream = new Duplex({
    read() {
      setImmediate(() => {
        this.push('name\0surplus')
        this.push(null)
      })
    },
  })
  expect((await readUntil(stream, NUL, 5)).toString()).toBe('name\0')
  expect((await buffer(stream)).toString()).toBe('surplus')
})

test('readUntil finds a delimiter that arrives in pieces, byte by byte', async () => {
  const [near, far] = duplexPair()
  const read = readUntil(near, Buffer.from('\r\n\r\n'), 100)
  for (const byte of Buffer.from('a\r\n\r\nb')) {
    far.write(Uint8Array.of(byte))
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect((await read).toString()).toBe('a\r\n\r\n')
  far.end()
  expect((await buffer(near)).toString()).toBe('b')
})

test('readUntil is PT_LIMIT where the limit holds no delimiter, and PT_CLOSED where the stream ends before it', async () => {
  for (const [sent, code] of [
    ['12345\0', 'PT_LIMIT'],
    ['123456789', 'PT_LIMIT'],
    ['1234', 'PT_CLOSED'],
    ['', 'PT_CLOSED'],
  ]) {
    const [near, far] = duplexPair()
    far.end(sent)
    await expect(readUntil(near, NUL, 5)).rejects.toMatchObject({ code })
  }
})
