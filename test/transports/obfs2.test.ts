import { createCipheriv, createHash, randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { readExactly } from '../../src/io/read.ts'
import { Args } from '../../src/ipc/index.ts'
import { obfs2, obfs2Codec, obfs2Hello, readObfs2Head } from '../../src/transports/obfs2/index.ts'
import {
  clientSession,
  connected,
  decodeAll,
  flip,
  launched,
  receiveAll,
  sendRandom,
  silent,
  tcpPair,
} from './harness.ts'
import { serverOptions, streamOf } from '../launch-options.ts'

const vector = (
  JSON.parse(readFileSync(new URL('../vectors/transport-vectors.json', import.meta.url), 'utf8')) as {
    obfs2: Record<
      'init_seed' | 'resp_seed' | 'init_pad_mac' | 'resp_pad_mac' | 'init_data_mac' | 'resp_data_mac',
      string
    >
  }
).obfs2
const hex = (text: string): Buffer => Buffer.from(text, 'hex')
const seeds = { Initiator: hex(vector.init_seed), Responder: hex(vector.resp_seed) }

/** The slow reference: the counter mode written out, block by block. */
function counterMode(mac: Buffer, bytes: Buffer): Buffer {
  let counter = BigInt(`0x${mac.toString('hex', 16, 32)}`)
  const out = Buffer.from(bytes)
  for (let at = 0; at < out.length; at += 16, counter = (counter + 1n) % (1n << 128n)) {
    const cipher = createCipheriv('aes-128-ecb', mac.subarray(0, 16), null).setAutoPadding(false)
    const block = cipher.update(hex(counter.toString(16).padStart(32, '0')))
    for (let i = at; i < Math.min(at + 16, out.length); i++)
      out.writeUInt8(out.readUInt8(i) ^ block.readUInt8(i - at), i)
  }
  return out
}

const mac = (label: string, seed: Buffer): Buffer =>
  createHash('sha256').update(label).update(seed).update(label).digest()

describe('obfs2’s bytes', () => {
  test('the vectors are those of SHA-256(label | seeds | label)', () => {
    const both = Buffer.concat([seeds.Initiator, seeds.Responder])
    expect(mac('Initiator obfuscation padding', seeds.Initiator).toString('hex')).toBe(vector.init_pad_mac)
    expect(mac('Responder obfuscated data', both).toString('hex')).toBe(vector.resp_data_mac)
  })

  test.each([
    ['Initiator', vector.init_pad_mac],
    ['Responder', vector.resp_pad_mac],
  ] as const)('the hello of the %s is its seed and, under the vector’s key, magic, length and padding', (role, key) => {
    const padding = Buffer.from('some padding')
    const hello = obfs2Hello(role, seeds[role], padding)
    expect(hello.subarray(0, 16)).toEqual(seeds[role])
    expect(counterMode(hex(key), hello.subarray(16))).toEqual(
      Buffer.concat([hex('2bf5ca7e'), hex('0000000c'), padding]),
    )
    expect(readObfs2Head(role, hello)).toEqual({ seed: seeds[role], padding: padding.length })
  })

  test.each([
    ['Initiator', vector.init_data_mac],
    ['Responder', vector.resp_data_mac],
  ] as const)('the %s encrypts under the vector’s key, from its first block on', (role, key) => {
    const plain = randomBytes(100)
    const codec = obfs2Codec(role, seeds.Initiator, seeds.Responder)
    const wire = Buffer.concat([codec.encode(plain.subarray(0, 7)), codec.encode(plain.subarray(7))])
    expect(wire).toEqual(counterMode(hex(key), plain))
    const peer = obfs2Codec(role === 'Initiator' ? 'Responder' : 'Initiator', seeds.Initiator, seeds.Responder)
    expect(decodeAll(peer, [wire.subarray(0, 33), wire.subarray(33)])).toEqual(plain)
  })

  test('every padding up to 8192 bytes reads back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.nat(8192), (seed, padding) => {
        expect(readObfs2Head('Initiator', obfs2Hello('Initiator', seed, Buffer.alloc(padding))).padding).toBe(padding)
      }),
    )
  })

  test('PT_HANDSHAKE: 8193 bytes of padding, a changed bit of the magic, the other side’s key', () => {
    const failure = expect.objectContaining({ code: 'PT_HANDSHAKE', stage: 'mark' })
    const good = obfs2Hello('Initiator', seeds.Initiator, Buffer.alloc(3))
    expect(() => readObfs2Head('Initiator', obfs2Hello('Initiator', seeds.Initiator, Buffer.alloc(8193)))).toThrow(
      failure,
    )
    expect(() => readObfs2Head('Responder', good)).toThrow(failure)
    for (let bit = 0; bit < 160; bit++) expect(() => readObfs2Head('Initiator', flip(good, bit))).toThrow(failure)
  })
})

describe('obfs2', () => {
  test('FLOW-6: 1 MiB each way in writes of random sizes, and each half ends by itself', async () => {
    const ends = await connected(await launched(obfs2))
    const [up, down] = [receiveAll(ends.server), receiveAll(ends.client)]
    expect(await sendRandom(ends.client, 1 << 20)).toBe((await up).hash)
    expect(ends.server.writable).toBe(true)
    expect(await sendRandom(ends.server, 1 << 20)).toBe((await down).hash)
  })

  test('either side writes its seed by itself, and then the rest, as obfs4proxy does', async () => {
    const { client, server } = await launched(obfs2)
    const { near, far } = await tcpPair()
    const writes = [near, far].map((conn) => vi.spyOn(conn, 'write'))
    const accepted = server.accept({ conn: far, signal: new AbortController().signal, ...silent })
    await client.dial(clientSession({ target: '127.0.0.1:1', connect: () => Promise.resolve(near) }))
    await accepted
    for (const write of writes) {
      const lengths = write.mock.calls.map(([bytes]) => bytes.length)
      expect(lengths).toEqual([16, expect.any(Number)])
      expect(lengths[1]).toBeGreaterThanOrEqual(8)
    }
  })

  test('a handshake split at every byte, with surplus behind it that is kept', async () => {
    const { server } = await launched(obfs2)
    const hello = obfs2Hello('Initiator', seeds.Initiator, Buffer.alloc(20))
    for (let at = 1; at < hello.length; at++) {
      const { near, far } = await tcpPair()
      const accepted = server.accept({ conn: far, signal: new AbortController().signal, ...silent })
      near.write(hello.subarray(0, at))
      const theirs = readObfs2Head('Responder', await readExactly(near, 24))
      const data = obfs2Codec('Initiator', seeds.Initiator, theirs.seed).encode(Buffer.from('surplus'))
      near.write(Buffer.concat([hello.subarray(at), data]))
      expect((await readExactly(streamOf(await accepted), 7)).toString()).toBe('surplus')
      near.destroy()
    }
  })

  test("PT_ARGS: 'shared-secret' is refused by name, by client and server", async () => {
    const args = Args.from({ 'shared-secret': 'not to be repeated' })
    const { client } = await launched(obfs2)
    const failure = { code: 'PT_ARGS', stage: 'argument', message: "unsupported argument 'shared-secret'" }
    const connect = (): never => expect.fail('nothing is dialled')
    await expect(client.dial(clientSession({ target: '127.0.0.1:1', args, connect }))).rejects.toMatchObject(failure)
    expect(() => obfs2.server(serverOptions({ stateDir: '/nonexistent', args }))).toThrow(
      expect.objectContaining(failure),
    )
  })

  test('fuzz: whatever bytes a peer sends, either side fails with PT_HANDSHAKE and closes', async () => {
    const { client, server } = await launched(obfs2)
    for (let round = 0; round < 30; round++) {
      const { near, far } = await tcpPair()
      const opened =
        round % 2
          ? client.dial(clientSession({ target: '127.0.0.1:1', connect: () => Promise.resolve(near) }))
          : server.accept({ conn: near, signal: new AbortController().signal, ...silent })
      far.on('error', () => undefined).resume()
      far.end(randomBytes(randomInt(0, round < 15 ? 30 : 10_000)))
      await expect(opened).rejects.toMatchObject({ code: 'PT_HANDSHAKE' })
      expect(near.destroyed).toBe(true)
    }
  })

  test('every strict prefix of a handshake is a peer that closed too early', async () => {
    const { client } = await launched(obfs2)
    const hello = obfs2Hello('Responder', seeds.Responder, Buffer.alloc(9))
    for (let at = 0; at < hello.length; at++) {
      const { near, far } = await tcpPair()
      const dialled = client.dial(clientSession({ target: '127.0.0.1:1', connect: () => Promise.resolve(near) }))
      far.resume().end(hello.subarray(0, at))
      await expect(dialled).rejects.toMatchObject({ code: 'PT_HANDSHAKE', stage: 'closed' })
    }
  })

  test('PT_HANDSHAKE: a peer that stops in the middle of its padding is given 30 seconds', async () => {
    const { server } = await launched(obfs2)
    const { near, far } = await tcpPair()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const accepted = server.accept({ conn: far, signal: new AbortController().signal, ...silent })
      near.write(obfs2Hello('Initiator', seeds.Initiator, Buffer.alloc(100)).subarray(0, 50))
      await once(near.resume(), 'data')
      vi.advanceTimersByTime(29_999)
      expect(far.destroyed).toBe(false)
      const failed = expect(accepted).rejects.toMatchObject({ code: 'PT_HANDSHAKE', stage: 'timeout' })
      vi.advanceTimersByTime(1)
      await failed
      expect(far.destroyed).toBe(true)
    } finally {
      vi.useRealTimers()
    }
  })
})
