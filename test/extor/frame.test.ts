import fc from 'fast-check'
import { duplexPair } from 'node:stream'
import { decodeFrame, encodeFrame } from 'postern/extor'
import { expect, test } from 'vitest'
import { readFrame } from '../../src/extor/frame.ts'
import { drain } from '../io/streams.ts'

const never = new AbortController().signal
const command = fc.integer({ min: 0, max: 0xffff })
const body = fc.uint8Array({ maxLength: 300 })

test('EXT-2: what is encoded as a command is decoded as the same, whatever stands behind it', () => {
  fc.assert(
    fc.property(command, body, body, (command, body, rest) => {
      const bytes = Buffer.concat([encodeFrame(command, body), rest])
      expect(decodeFrame(bytes)).toEqual({ command, body: Buffer.from(body), rest: Buffer.from(rest) })
    }),
  )
})

test('EXT-2: every strict prefix of a command is incomplete, and an error only where the stream ends', async () => {
  const whole = encodeFrame(0x1234, 'body')
  for (let length = 0; length < whole.length; length++) {
    const prefix = whole.subarray(0, length)
    expect(decodeFrame(prefix)).toBeUndefined()
    const [near, far] = duplexPair()
    far.end(prefix)
    await expect(readFrame(near, never)).rejects.toMatchObject({ code: 'PT_CLOSED' })
  }
})

test('EXT-2: commands are read byte by byte, and what stands behind one stays in the stream', async () => {
  const [near, far] = duplexPair()
  const read = readFrame(near, never)
  for (const byte of encodeFrame(7, 'seven')) far.write(Buffer.of(byte))
  expect(await read).toEqual({ command: 7, body: Buffer.from('seven') })
  far.end(Buffer.concat([encodeFrame(8, Buffer.alloc(0xffff, 8)), Buffer.from('surplus')]))
  expect(await readFrame(near, never)).toEqual({ command: 8, body: Buffer.alloc(0xffff, 8) })
  expect(await drain(near)).toEqual(Buffer.from('surplus'))
})

test('EXT-2: a body of 65536 bytes is PT_EXTOR, not a wrong length', () => {
  expect(encodeFrame(1, Buffer.alloc(0xffff)).length).toBe(4 + 0xffff)
  expect(() => encodeFrame(1, Buffer.alloc(0x10000))).toThrow(expect.objectContaining({ code: 'PT_EXTOR' }))
})
