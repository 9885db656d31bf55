import { duplexPair } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readExactly, readSome, readUntil } from '../../src/io/read.ts'
import { framed } from '../../src/io/carry/framed.ts'
import { drain, listeners, pairs, settle, socketPair } from './streams.ts'

const newline = Buffer.from('\n')
const closed = { name: 'PtError', code: 'PT_CLOSED' }

describe.each(pairs)('on %s', (_name, make) => {
  it('readExactly leaves surplus bytes for the next reader', async () => {
    const [near, far] = await make()
    far.write('abcdefgh')
    expect(String(await readExactly(near, 3))).toBe('abc')
    expect(String(await readExactly(near, 1))).toBe('d')
    expect(String(await readSome(near))).toBe('efgh')
  })

  it('readExactly waits for bytes that come one by one', async () => {
    const [near, far] = await make()
    const read = readExactly(near, 5)
    for (const byte of 'hello!') {
      far.write(byte)
      await settle(1)
    }
    expect(String(await read)).toBe('hello')
    expect(String(await readSome(near))).toBe('!')
  })

  it("no byte is lost on a stream whose 'data' listeners were all removed: Node still takes it for listened to", async () => {
    const [near, far] = await make()
    near.on('data', () => {}).pause()
    near.removeAllListeners('data')
    for (const part of ['ab', 'cd', 'ef']) {
      const read = readExactly(near, 2)
      far.write(part)
      expect(String(await read)).toBe(part)
      await settle()
    }
    far.write('gh')
    await settle()
    expect(String(await readSome(near))).toBe('gh')
  })

  it('readExactly reads more than the stream buffers at a time', async () => {
    const [near, far] = await make()
    const size = near.readableHighWaterMark * 5 + 17
    far.write(Buffer.alloc(size + 3, 'x'))
    expect((await readExactly(near, size)).length).toBe(size)
    expect(String(await readExactly(near, 3))).toBe('xxx')
  })

  it('readExactly of nothing needs no bytes and no stream', async () => {
    const [near] = await make()
    expect(await readExactly(near, 0)).toHaveLength(0)
  })

  it.each([0, 1, 4])('PT_CLOSED: the stream ends after %i of 5 bytes, which stay readable', async (length) => {
    const [near, far] = await make()
    far.end('abcd'.slice(0, length))
    await expect(readExactly(near, 5)).rejects.toMatchObject(closed)
    if (length > 0) expect(String(await readExactly(near, length))).toBe('abcd'.slice(0, length))
    await expect(readSome(near)).rejects.toMatchObject(closed)
  })

  it('PT_CLOSED: a stream that has ended or was destroyed is not waited for', async () => {
    const [near, far] = await make()
    far.end()
    await drain(near)
    await expect(readSome(near)).rejects.toMatchObject(closed)
    far.destroy()
    await expect(readExactly(far, 1)).rejects.toMatchObject(closed)
  })

  it('PT_CLOSED: a stream that is destroyed during the wait ends the wait', async () => {
    const [near] = await make()
    const read = readExactly(near, 1)
    near.destroy()
    await expect(read).rejects.toMatchObject(closed)
  })

  it('the error of the stream is what a wait rejects with, during the wait and after', async () => {
    const [near] = await make()
    const read = readSome(near)
    near.destroy(new Error('broken cable'))
    await expect(read).rejects.toThrow('broken cable')
    await expect(readExactly(near, 1)).rejects.toThrow('broken cable')
  })

  it('an error between two reads ends no process and is kept for the second', async () => {
    const [near, far] = await make()
    far.write('a')
    near.removeAllListeners('error')
    await readExactly(near, 1)
    near.destroy(new Error('broken cable'))
    await settle()
    await expect(readExactly(near, 1)).rejects.toThrow('broken cable')
  })

  it('an aborted wait rejects with the reason and takes no byte', async () => {
    const [near, far] = await make()
    const controller = new AbortController()
    far.write('ab')
    await readExactly(near, 1)
    const read = readExactly(near, 5, controller.signal)
    controller.abort(new Error('enough'))
    await expect(read).rejects.toThrow('enough')
    await expect(readSome(near, controller.signal)).rejects.toThrow('enough')
    expect(String(await readSome(near))).toBe('b')
  })

  it('no wait leaves a listener behind, but for one that keeps a reset from ending the process', async () => {
    const [near, far] = await make()
    const before = listeners(near)
    const hearing = near.listenerCount('error')
    far.write('x'.repeat(60))
    for (let times = 0; times < 20; times++) await readExactly(near, 3)
    await settle()
    expect(listeners(near)).toBeLessThanOrEqual(before + 1)
    expect(near.listenerCount('error')).toBe(Math.max(1, hearing))
  })

  it('readUntil stops behind the first delimiter and gives the rest back', async () => {
    const [near, far] = await make()
    far.write('one\ntwo\nthree')
    expect(String(await readUntil(near, newline, 100))).toBe('one\n')
    expect(String(await readUntil(near, newline, 100))).toBe('two\n')
    expect(String(await readSome(near))).toBe('three')
  })

  it('readUntil finds a delimiter that arrives in pieces', async () => {
    const [near, far] = await make()
    const read = readUntil(near, Buffer.from('\r\n\r\n'), 100)
    for (const byte of 'a\r\n\r\r\n\r\nb') {
      far.write(byte)
      await settle(1)
    }
    expect(String(await read)).toBe('a\r\n\r\r\n\r\n')
    expect(String(await readSome(near))).toBe('b')
  })

  it('PT_LIMIT: readUntil gives up once the limit holds no delimiter', async () => {
    const [near, far] = await make()
    far.write('abcd\n')
    expect(String(await readUntil(near, newline, 5))).toBe('abcd\n')
    far.write('abcde\n')
    await expect(readUntil(near, newline, 5)).rejects.toMatchObject({ name: 'PtError', code: 'PT_LIMIT' })
  })

  it('PT_CLOSED: readUntil ends with the stream', async () => {
    const [near, far] = await make()
    far.end('no delimiter')
    await expect(readUntil(near, newline, 100)).rejects.toMatchObject(closed)
  })

  it('what follows the reads flows on to whoever listens for data', async () => {
    const [near, far] = await make()
    far.write('headpayload')
    await readExactly(near, 4)
    const rest = drain(near)
    far.end(' and more')
    expect(String(await rest)).toBe('payload and more')
  })

  it('what follows the reads flows on through a codec', async () => {
    const [near, far] = await make()
    far.write('headpayload')
    await readExactly(near, 4)
    const app = framed(near, { encode: (bytes) => bytes, decode: (bytes) => [bytes] })
    await settle()
    expect(app.readableLength).toBe(0)
    far.end('!')
    expect(String(await drain(app))).toBe('payload!')
  })
})

it('any cut of any bytes into writes and reads gives the same bytes', async () => {
  const plan = fc.tuple(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }), fc.array(fc.nat(20)))
  await fc.assert(
    fc.asyncProperty(plan, async ([writes, reads]) => {
      const [near, far] = duplexPair()
      for (const bytes of writes) far.write(bytes)
      far.end()
      const sent = Buffer.concat(writes)
      const got: Buffer[] = []
      let left = sent.length
      for (const size of reads.filter((size) => (left -= size) >= 0)) got.push(await readExactly(near, size))
      got.push(await drain(near))
      expect(Buffer.concat(got)).toEqual(sent)
    }),
    { numRuns: 100 },
  )
})

it('a wait that nobody answers holds still instead of spinning', async () => {
  const [near, far] = await socketPair()
  far.write('ab')
  let attempts = 0
  const read = near.read.bind(near)
  near.read = (size?: number): unknown => {
    attempts++
    return read(size)
  }
  const bytes = readExactly(near, 3)
  // A wait that spins would try once in each of these turns.
  await settle(50)
  expect(attempts).toBeLessThan(10)
  far.write('c')
  expect(String(await bytes)).toBe('abc')
})
