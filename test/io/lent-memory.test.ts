/** Memory that the system writes into is ours alone: what a codec does with its own can break its connection and no more. */
import { randomBytes } from 'node:crypto'
import { expect, it, vi } from 'vitest'
import type { Codec, DirectCodec } from '../../src/io/carry/codec.ts'
import { withDirect } from '../../src/io/carry/codec.ts'
import { framed } from '../../src/io/carry/framed.ts'
import { splice } from '../../src/io/carry/splice.ts'
import { channelOf } from '../../src/io/tcp/node-channel.ts'
import { readMemory } from '../../src/io/tcp/read-memory.ts'
import { drain, tcpPair } from './streams.ts'

const same: Codec = { encode: (bytes) => bytes, decode: (bytes) => [Buffer.from(bytes)] }

/** A codec of somebody else, in memory of its own. */
function foreign(encode: (bytes: Uint8Array, input: Uint8Array) => Uint8Array): { codec: Codec; input: Uint8Array } {
  const input = new Uint8Array(10_000)
  const direct: DirectCodec = {
    input,
    encode: (bytes) => encode(bytes, input),
    decode: (bytes) => [Buffer.from(bytes)],
  }
  return { codec: { ...same, direct }, input }
}

it('a codec in memory of its own gets every byte there, as it was read', async () => {
  const views = new Set<ArrayBufferLike>()
  const { codec, input } = foreign((bytes) => {
    views.add(bytes.buffer)
    return Buffer.from(bytes)
  })
  const [application, plain] = await tcpPair()
  const [wire, peer] = await tcpPair()
  const done = splice(plain, framed(wire, codec))!
  const bytes = randomBytes(1_000_000)
  application.end(bytes)
  expect((await drain(peer)).equals(bytes)).toBe(true)
  peer.end()
  application.resume()
  await done.catch(() => undefined)
  expect([...views]).toEqual([input.buffer])
})

it('a codec that gives its memory away loses its connection, and others go on', async () => {
  const { codec } = foreign((bytes, input) => {
    const copy = Buffer.from(bytes)
    structuredClone(input, { transfer: [input.buffer as ArrayBuffer] })
    return copy
  })
  const [application, plain] = await tcpPair()
  const [wire, peer] = await tcpPair()
  const done = splice(plain, framed(wire, codec))!
  const failed = done.then(
    () => 'ended',
    () => 'failed',
  )
  peer.on('error', () => undefined).resume()
  application.on('error', () => undefined).resume()
  application.write('first')
  application.write(randomBytes(100_000))
  expect(await failed).toBe('failed')
  const [near, far] = await tcpPair()
  near.end('others')
  expect(String(await drain(far))).toBe('others')
})

it('what a codec gives from memory of its own is copied: it may change it or give it away while the system has not taken all', async () => {
  const MUCH = 12 << 20
  const given: ArrayBuffer[] = []
  const { codec } = foreign((bytes) => {
    const own = Uint8Array.from(bytes)
    given.push(own.buffer)
    return own
  })
  const [application, plain] = await tcpPair()
  const [wire, peer] = await tcpPair()
  const done = splice(plain, framed(wire, codec))!
  const bytes = randomBytes(MUCH)
  application.end(bytes)
  await vi.waitUntil(() => channelOf(wire)!.duplex.writableLength > 0 || wire.bytesWritten > 1_000_000)
  for (const buffer of given.splice(0)) structuredClone(buffer, { transfer: [buffer] })
  expect((await drain(peer)).equals(bytes)).toBe(true)
  peer.end()
  application.resume()
  await done.catch(() => undefined)
})

it('a codec that is an instance of a class keeps its methods', () => {
  class Adding {
    readonly #n: number
    constructor(n: number) {
      this.#n = n
    }
    preface(): Uint8Array {
      return Uint8Array.of(this.#n)
    }
    encode(bytes: Uint8Array): Uint8Array {
      return bytes.map((byte) => byte + this.#n)
    }
    decode(bytes: Uint8Array): Uint8Array[] {
      return [bytes.map((byte) => byte - this.#n)]
    }
    end(): void {
      throw new Error(`ended at ${this.#n}`)
    }
  }
  const codec = withDirect(new Adding(3))
  for (const one of [codec, codec.direct!]) {
    expect(one.preface!()).toEqual(Uint8Array.of(3))
    expect(one.encode(Uint8Array.of(1))).toEqual(Uint8Array.of(4))
    expect([...one.decode(Uint8Array.of(4))]).toEqual([Uint8Array.of(1)])
    expect(() => one.end!()).toThrow('ended at 3')
  }
})

it('the memory that codecs are given views of cannot be given away', () => {
  const { buffer } = readMemory()
  const takes: ((memory: ArrayBuffer) => unknown)[] = [
    (memory) => structuredClone(memory, { transfer: [memory] }),
    (memory) => {
      const { port1 } = new MessageChannel()
      port1.postMessage(memory, [memory])
      port1.close()
    },
    (memory) => (memory as ArrayBuffer & { transfer?(): ArrayBuffer }).transfer?.(),
  ]
  for (const take of takes) {
    try {
      take(buffer as ArrayBuffer)
    } catch {
      // It says that it will not; the other way is to give a copy.
    }
    expect(buffer.byteLength).toBe(65_536)
  }
  const { direct } = withDirect(same)
  expect(direct?.input.buffer).toBe(buffer)
  expect(readMemory()).toHaveLength(65_536)
})
