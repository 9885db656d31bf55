import { randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { readExactly, readSome, readUntil } from '../../src/io/read.ts'
import { boundReads, startHandshakeReads } from '../../src/io/tcp/handshake-reader.ts'
import { framed } from '../../src/io/carry/framed.ts'
import { splice } from '../../src/io/carry/splice.ts'
import type { Codec, DirectCodec } from '../../src/io/carry/codec.ts'
import { relay } from '../../src/io/carry/relay.ts'
import { obfs3Codec } from '../../src/transports/obfs3/index.ts'
import { drain, endOf, pairs, settle, socketPair, tcpPair } from './streams.ts'

describe.each(pairs)('bounded reads of %s', (_name, make) => {
  const bounded = async (most: number): Promise<[Duplex, Duplex]> => {
    const [near, far] = await make()
    boundReads(near, most)
    return [near, far]
  }

  it('give what was asked for, and all that was not asked for to the next reader', async () => {
    const [near, far] = await bounded(3)
    far.write('abcdefghij')
    expect(String(await readExactly(near, 2))).toBe('ab')
    expect(String(await readExactly(near, 1))).toBe('c')
    expect(String(await readExactly(near, 5))).toBe('defgh')
    expect(String(await readUntil(near, Buffer.from('j'), 10))).toBe('ij')
  })

  it('wait for bytes that come one by one', async () => {
    const [near, far] = await bounded(100)
    const read = readExactly(near, 13)
    for (const byte of 'hello, world!?') {
      far.write(byte)
      await settle(1)
    }
    expect(String(await read)).toBe('hello, world!')
    expect(String(await readSome(near))).toBe('?')
  })

  it('read a message of an unknown length in pieces', async () => {
    const [near, far] = await bounded(4)
    far.write('a line\nand ')
    expect(String(await readUntil(near, Buffer.from('\n'), 20))).toBe('a line\n')
    far.end('more')
    expect(String(await drain(near))).toBe('and more')
  })

  it('complete a message of which an earlier reader has put a part back', async () => {
    const [near, far] = await bounded(100)
    far.write('headbegin')
    expect(String(await readUntil(near, Buffer.from('head'), 20))).toBe('head')
    const line = readUntil(near, Buffer.from('\n'), 20)
    far.write(' end\nsurplus')
    expect(String(await line)).toBe('begin end\n')
    expect(String(await readExactly(near, 7))).toBe('surplus')
  })

  it('take exactly the rest of what an earlier reader has left in the stream', async () => {
    const [near, far] = await bounded(100)
    far.write('head123')
    expect(String(await readUntil(near, Buffer.from('head'), 20))).toBe('head')
    const read = readExactly(near, 5)
    far.write('45678')
    expect(String(await read)).toBe('12345')
    expect(near.readableLength).toBe(_name === 'a pair in memory' ? 3 : 0)
    expect(String(await readExactly(near, 3))).toBe('678')
  })

  it('lose no byte to a reader who gives up, and PT_CLOSED tells of the end', async () => {
    const [near, far] = await bounded(100)
    const given = new AbortController()
    const read = readExactly(near, 5, given.signal)
    far.write('abc')
    await settle()
    given.abort(new Error('enough'))
    await expect(read).rejects.toThrow('enough')
    const next = readExactly(near, 4)
    far.write('d')
    expect(String(await next)).toBe('abcd')
    const last = readExactly(near, 1)
    far.end()
    await expect(last).rejects.toMatchObject({ code: 'PT_CLOSED' })
  })

  it('are over when a codec takes the connection', async () => {
    const [near, far] = await bounded(4)
    far.write('head')
    expect(String(await readExactly(near, 4))).toBe('head')
    const received = drain(framed(near, { encode: (bytes) => bytes, decode: (bytes) => [bytes] }))
    const body = Buffer.alloc(300_000, 'x')
    far.end(body)
    expect((await received).equals(body)).toBe(true)
  })
})

describe.each([
  ['a connection of a PT', tcpPair],
  ['a net.Socket', socketPair],
] as const)('%s with bounded reads', (_name, make) => {
  /** How `near` ends for the far end, if it is closed after `read`. */
  const endAfter = async (read: (near: Duplex) => Promise<unknown>): Promise<'FIN' | 'RST'> => {
    const [near, far] = await make()
    startHandshakeReads(near)
    boundReads(near, 10)
    far.write(Buffer.alloc(11))
    await read(near)
    near.destroy()
    return await endOf(far)
  }

  it('leaves to the system what nobody asked for, so that a close is a reset', async () => {
    expect(await endAfter((near) => readSome(near))).toBe('RST')
    expect(await endAfter((near) => readExactly(near, 10))).toBe('RST')
    expect(await endAfter(async (near) => [await readExactly(near, 3), await readExactly(near, 7)])).toBe('RST')
  })

  it('is closed by a FIN if the handshake has taken the last byte', async () => {
    expect(await endAfter((near) => readExactly(near, 11))).toBe('FIN')
    expect(await endAfter(async (near) => [await readSome(near), await readSome(near)])).toBe('FIN')
  })
})

/** The two ways to carry a connection with a codec: without streams, and as a framed stream, whose reads a handshake has bounded. */
const carriers = [
  ['spliced', (plain: Duplex, conn: Duplex, codec: Codec) => splice(plain, framed(conn, codec))!],
  [
    'framed',
    (plain: Duplex, conn: Duplex, codec: Codec) => {
      boundReads(conn, 192)
      const wire = framed(conn, codec)
      return relay(plain, wire, { wire })
    },
  ],
] as const

describe.each(carriers)('a codec that wants few bytes for the time being, %s', (_name, carried) => {
  it('leaves the rest to the system, so that its failure ends the connection by a reset', async () => {
    const [[plain, app], [conn, far]] = await Promise.all([tcpPair(), tcpPair()])
    const codec = { encode: (bytes: Uint8Array) => bytes, decode: (): Uint8Array[] => refuse(), mostDecoded: 10 }
    const direct = { ...codec, input: Buffer.alloc(100) }
    const done = carried(plain, conn, { ...codec, direct })
    app.once('end', () => app.end()).resume()
    far.write(Buffer.alloc(11))
    const [end] = await Promise.all([endOf(far), expect(done).rejects.toThrow('not for me')])
    expect(end).toBe('RST')
  })

  it('is given as many bytes as there are once it wants them', async () => {
    const [[plain, app], [conn, far]] = await Promise.all([tcpPair(), tcpPair()])
    const lengths: number[] = []
    const decode = (bytes: Uint8Array): Uint8Array[] => {
      lengths.push(bytes.length)
      return [Buffer.from(bytes)]
    }
    const codec = {
      encode: (bytes: Uint8Array) => bytes,
      decode,
      get mostDecoded() {
        return lengths.length < 2 ? 10 : undefined
      },
    }
    const direct: DirectCodec = Object.create(codec, { input: { value: Buffer.alloc(1000) } }) as DirectCodec
    const done = carried(plain, conn, Object.assign(codec, { direct }))
    far.end(Buffer.alloc(500, 'x'))
    expect(await drain(app)).toEqual(Buffer.alloc(500, 'x'))
    app.end()
    await done
    expect(lengths.slice(0, 2)).toEqual([10, 10])
    expect(lengths).toHaveLength(3)
  })

  it('ends as obfs4proxy’s obfs3 does if the magic never comes: with a reset, and no more than its share was read', async () => {
    const [[plain, app], [conn, far]] = await Promise.all([tcpPair(), tcpPair()])
    const done = carried(plain, conn, obfs3Codec('Responder', Buffer.alloc(192, 7)))
    app.once('end', () => app.end()).resume()
    far.write(randomBytes(8194 + 32 + 1))
    const [end] = await Promise.all([endOf(far), expect(done).rejects.toMatchObject({ code: 'PT_HANDSHAKE' })])
    expect([end, conn.bytesRead]).toEqual(['RST', 8194 + 32])
  })
})

function refuse(): never {
  throw new Error('not for me')
}
