import type { Duplex } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { readExactly, readSome, readUntil } from '../../src/io/read.ts'
import { boundReads, startHandshakeReads } from '../../src/io/tcp/handshake-reader.ts'
import { framed } from '../../src/io/carry/framed.ts'
import { splice } from '../../src/io/carry/splice.ts'
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

describe('a codec that wants few bytes for the time being', () => {
  it('leaves the rest to the system, so that its failure ends the connection by a reset', async () => {
    const [[plain, app], [conn, far]] = await Promise.all([tcpPair(), tcpPair()])
    const codec = { encode: (bytes: Uint8Array) => bytes, decode: (): Uint8Array[] => refuse(), mostDecoded: 10 }
    const direct = { ...codec, input: Buffer.alloc(100) }
    const done = splice(plain, framed(conn, { ...codec, direct }))!
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
    const direct = {
      encode: (bytes: Uint8Array) => bytes,
      decode,
      input: Buffer.alloc(1000),
      get mostDecoded() {
        return lengths.length < 2 ? 10 : undefined
      },
    }
    const done = splice(plain, framed(conn, { encode: direct.encode, decode, direct }))!
    far.end(Buffer.alloc(500, 'x'))
    expect(await drain(app)).toEqual(Buffer.alloc(500, 'x'))
    app.end()
    await done
    expect(lengths).toEqual([10, 10, 480])
  })
})

function refuse(): never {
  throw new Error('not for me')
}
