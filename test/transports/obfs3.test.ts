import { createCipheriv, randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { readExactly } from '../../src/io/read.ts'
import type { Codec } from '../../src/io/carry/codec.ts'
import { obfs3, obfs3Codec } from '../../src/transports/obfs3/index.ts'
import {
  clientSession,
  connected,
  decodeAll,
  flip,
  launched,
  writeUntilStuck,
  receiveAll,
  sendRandom,
  silent,
  singly,
  tcpPair,
} from './harness.ts'
import { streamOf } from '../launch-options.ts'

const vector = (
  JSON.parse(readFileSync(new URL('../vectors/transport-vectors.json', import.meta.url), 'utf8')) as {
    uniformdh_obfs3: Record<'secret' | 'initiator_magic' | 'responder_magic' | 'initiator_data', string>
  }
).uniformdh_obfs3
const secret = Buffer.from(vector.secret, 'hex')
const magics = {
  Initiator: Buffer.from(vector.initiator_magic, 'hex'),
  Responder: Buffer.from(vector.responder_magic, 'hex'),
}

const aesBlock = (key: Buffer, block: Buffer): Buffer =>
  createCipheriv('aes-128-ecb', key, null).setAutoPadding(false).update(block)

/** All that a side sends for `payload` if that is its first write. */
function firstBytes(codec: Codec, payload: Uint8Array): Buffer {
  return Buffer.concat([codec.preface!(), codec.encode(payload)])
}

describe('obfs3Codec', () => {
  test('the padding and the magic of the vectors go out by themselves, and then the vectors’ stream', () => {
    const zeros = Buffer.alloc(16)
    const initiator = obfs3Codec('Initiator', secret, Buffer.from('padding'))
    expect(initiator.preface!()).toEqual(Buffer.concat([Buffer.from('padding'), magics.Initiator]))
    expect(obfs3Codec('Responder', secret, Buffer.alloc(0)).preface!()).toEqual(magics.Responder)
    // Counter mode of zeros is the keystream: its first block encrypts the counter, which is the second half of the vector.
    const key = Buffer.from(vector.initiator_data, 'hex')
    expect(initiator.encode(zeros)).toEqual(aesBlock(key.subarray(0, 16), key.subarray(16)))
  })

  test('until the magic has come, no more is read at a time than obfs4proxy reads; then as much as there is', () => {
    const codec = obfs3Codec('Responder', secret)
    const { mostDecoded } = codec.direct!
    expect(mostDecoded).toBe(8194 + 32)
    decodeAll(codec, [firstBytes(obfs3Codec('Initiator', secret), Buffer.alloc(0))])
    expect(codec.direct!.mostDecoded).toBeUndefined()
  })

  test('what one side encodes the other decodes, whatever the padding and the chunks', () => {
    const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 8 })
    fc.assert(
      fc.property(chunks, fc.nat(8194), fc.nat(40), fc.boolean(), (writes, padding, cut, up) => {
        const [from, to] = up ? (['Initiator', 'Responder'] as const) : (['Responder', 'Initiator'] as const)
        const sender = obfs3Codec(from, secret, randomBytes(padding))
        const wire = Buffer.concat([sender.preface!(), ...writes.map((bytes) => sender.encode(bytes))])
        const at = Math.min(wire.length, padding + cut)
        const received = decodeAll(obfs3Codec(to, secret), [wire.subarray(0, at), wire.subarray(at)])
        expect(received).toEqual(Buffer.concat(writes))
      }),
    )
  })

  test.each([0, 1, 31, 32, 4097, 8194])(
    '%i bytes in front of the magic, byte by byte, with surplus behind it',
    (size) => {
      const wire = firstBytes(obfs3Codec('Initiator', secret, randomBytes(size)), Buffer.from('surplus'))
      expect(decodeAll(obfs3Codec('Responder', secret), singly(wire)).toString()).toBe('surplus')
      expect(decodeAll(obfs3Codec('Responder', secret), [wire]).toString()).toBe('surplus')
    },
  )

  test('every strict prefix of padding and magic yields nothing and is no error', () => {
    const wire = firstBytes(obfs3Codec('Initiator', secret, randomBytes(50)), Buffer.from('x'))
    for (let at = 0; at < wire.length; at++) {
      const codec = obfs3Codec('Responder', secret)
      expect(decodeAll(codec, [wire.subarray(0, at)])).toHaveLength(0)
      codec.end?.()
    }
  })

  test.each([
    ['8195 bytes in front of the magic', Buffer.concat([randomBytes(8195), magics.Initiator])],
    ['the magic of the wrong side', Buffer.concat([magics.Responder, randomBytes(8194)])],
    ['one bit of the magic wrong', Buffer.concat([flip(magics.Initiator, 77), randomBytes(8194)])],
    ['64 KiB of random bytes', randomBytes(65536)],
  ])('PT_HANDSHAKE: %s, at once and byte by byte', (_, wire) => {
    const failure = expect.objectContaining({ code: 'PT_HANDSHAKE', stage: 'mark' })
    expect(() => decodeAll(obfs3Codec('Responder', secret), [wire])).toThrow(failure)
    expect(() => decodeAll(obfs3Codec('Responder', secret), singly(wire))).toThrow(failure)
    // Not a byte before the limit: a slow peer is given all of its padding.
    expect(decodeAll(obfs3Codec('Responder', secret), [wire.subarray(0, 8194 + 31)])).toHaveLength(0)
  })
})

describe('obfs3', () => {
  test('either side writes its padding and magic by themselves before its first bytes, as obfs4proxy does', async () => {
    const { client, server } = await launched(obfs3)
    const { near, far } = await tcpPair()
    const writes = [near, far].map((conn) => vi.spyOn(conn, 'write'))
    const accepted = server.accept({ conn: far, signal: new AbortController().signal, ...silent }).then(streamOf)
    const session = clientSession({ target: '127.0.0.1:1', connect: () => Promise.resolve(near) })
    for (const end of await Promise.all([client.dial(session), accepted])) {
      end.write('first')
      end.end('second')
      await once(end, 'finish')
    }
    for (const write of writes) {
      const [key, magic, ...data] = write.mock.calls.map(([bytes]) => bytes.length)
      expect([key! >= 192, magic! >= 32, ...data]).toEqual([true, true, 'first'.length, 'second'.length])
    }
  })

  test('the first flight is 192 bytes and at most 4097 of padding; a client’s dial does not wait for a magic', async () => {
    const { client } = await launched(obfs3)
    const { near, far } = await tcpPair()
    const dialled = client.dial(clientSession({ target: '127.0.0.1:1', connect: () => Promise.resolve(near) }))
    far.write(Buffer.concat([randomBytes(192)])) // any bytes are a public key
    const conn = await dialled
    conn.end()
    const flight = await receiveAll(far)
    expect(flight.size).toBeGreaterThanOrEqual(192)
    expect(flight.size).toBeLessThanOrEqual(192 + 4097)
    far.end()
    expect((await receiveAll(conn)).size).toBe(0) // a server that never wrote never sent its magic
  })

  test('FLOW-6: 1 MiB each way in writes of random sizes, and each half ends by itself', async () => {
    const ends = await connected(await launched(obfs3))
    const [up, down] = [receiveAll(ends.server), receiveAll(ends.client)]
    expect(await sendRandom(ends.client, 1 << 20)).toBe((await up).hash)
    expect(ends.server.writable).toBe(true)
    expect(await sendRandom(ends.server, 1 << 20)).toBe((await down).hash)
  })

  test('a slow reader gets every byte, though the connection has long been closed', async () => {
    const ends = await connected(await launched(obfs3))
    ends.client.end()
    ends.server.resume().end(Buffer.alloc(40_000))
    await once(ends.server, 'close')
    for (let size = 0; size < 40_000; size += 400) {
      await readExactly(ends.client, 400)
      await new Promise(setImmediate)
    }
  })

  test('a reader that stops holds the writer back', async () => {
    const ends = await connected(await launched(obfs3))
    const written = await writeUntilStuck(ends.client)
    expect(written).toBeLessThan(64 << 20)
    const up = receiveAll(ends.server)
    ends.client.end()
    expect((await up).size).toBe(written)
  })

  test('fuzz: whatever bytes a peer sends, either side fails with PT_HANDSHAKE or waits, and nothing else happens', async () => {
    const { client, server } = await launched(obfs3)
    for (let round = 0; round < 30; round++) {
      const { near, far } = await tcpPair()
      const signal = new AbortController().signal
      const opened =
        round % 2
          ? client.dial(clientSession({ target: '127.0.0.1:1', connect: () => Promise.resolve(near) }))
          : server.accept({ conn: near, signal, ...silent }).then(streamOf)
      far.on('error', () => undefined).resume()
      far.end(randomBytes(randomInt(0, round < 15 ? 300 : 20_000)))
      const outcome = await opened.then(receiveAll).catch((error: unknown) => error)
      if (outcome instanceof Error) expect(outcome).toMatchObject({ code: 'PT_HANDSHAKE' })
      else expect(outcome).toMatchObject({ size: 0 })
      near.destroy()
    }
  })

  test.each(['client', 'server'] as const)('PT_HANDSHAKE: the %s says that its peer closed too early', async (side) => {
    const { client, server } = await launched(obfs3)
    for (const length of [0, 1, 191]) {
      const { near, far } = await tcpPair()
      const opened =
        side === 'client'
          ? client.dial(clientSession({ target: '127.0.0.1:1', connect: () => Promise.resolve(near) }))
          : server.accept({ conn: near, signal: new AbortController().signal, ...silent })
      far.resume().end(randomBytes(length))
      await expect(opened).rejects.toMatchObject({ code: 'PT_HANDSHAKE', stage: 'closed' })
      expect(near.destroyed).toBe(true)
    }
  })

  test('PT_HANDSHAKE: a peer that stays silent is given 30 seconds', async () => {
    const { client } = await launched(obfs3)
    const { near, far } = await tcpPair()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const dialled = client.dial(clientSession({ target: '127.0.0.1:1', connect: () => Promise.resolve(near) }))
      await readExactly(far, 192)
      vi.advanceTimersByTime(29_999)
      expect(near.destroyed).toBe(false)
      const failed = expect(dialled).rejects.toMatchObject({ code: 'PT_HANDSHAKE', stage: 'timeout' })
      vi.advanceTimersByTime(1)
      await failed
      expect(near.destroyed).toBe(true)
    } finally {
      vi.useRealTimers()
    }
  })

  test('PT_HANDSHAKE: a public key of 0 is refused', async () => {
    const { client } = await launched(obfs3)
    const { near, far } = await tcpPair()
    const dialled = client.dial(clientSession({ target: '127.0.0.1:1', connect: () => Promise.resolve(near) }))
    far.write(Buffer.alloc(192))
    await expect(dialled).rejects.toMatchObject({ code: 'PT_HANDSHAKE', stage: 'mark' })
  })

  test('an abort ends the handshake with the reason of the signal', async () => {
    const { client } = await launched(obfs3)
    const { near, far } = await tcpPair()
    const abort = new AbortController()
    const dialled = client.dial(
      clientSession({ target: '127.0.0.1:1', connect: () => Promise.resolve(near), signal: abort.signal }),
    )
    await readExactly(far, 192)
    abort.abort(new Error('the parent hung up'))
    await expect(dialled).rejects.toThrow('the parent hung up')
    expect(near.destroyed).toBe(true)
  })

  test('a peer that resets during the handshake is a failed handshake, not the end of the process', async () => {
    const { server } = await launched(obfs3)
    const { near, far } = await tcpPair()
    const accepted = server.accept({ conn: near, signal: new AbortController().signal, ...silent })
    await once(far.resume(), 'data')
    far.resetAndDestroy()
    await expect(accepted).rejects.toMatchObject({ code: 'PT_HANDSHAKE', stage: 'closed' })
  })
})
