import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as sizes from '../../../src/transports/obfs4/frames/sizes.ts'
import * as constants from '../../../src/transports/obfs4/constants.ts'
import { FrameSealer } from '../../../src/transports/obfs4/frames.ts'
import { helloMac } from '../../../src/transports/obfs4/handshake.ts'
import type { ClientHandshake } from '../../../src/transports/obfs4/handshake-client.ts'
import { clientHandshake } from '../../../src/transports/obfs4/handshake-client.ts'
import type { Answer, ServerProgress } from '../../../src/transports/obfs4/handshake-server.ts'
import { answerHello, helloReader } from '../../../src/transports/obfs4/handshake-server.ts'
import { handshakeMacKey } from '../../../src/transports/obfs4/server-identity.ts'
import { hex } from '../../transport-vectors.ts'
import {
  clientPair,
  drbgSeed,
  handshakeVector as vector,
  identity,
  repeatable,
  serverPair,
  vectorHour,
} from './support.ts'

const hello = hex(vector.client_hello)
const answerBytes = hex(vector.server_hello)
const macKey = handshakeMacKey(identity)

function client(hour = vectorHour, padding: Uint8Array = hex(vector.client_pad)): ClientHandshake {
  return clientHandshake({ bridge: identity, pair: clientPair, hour, padding })
}

function server(): (bytes: Buffer) => ServerProgress {
  return helloReader({ identity, hour: () => vectorHour })
}

function answer(hour: number, padding: Uint8Array = hex(vector.server_pad)): Answer {
  const representative = Buffer.from(clientPair.representative)
  return answerHello({ identity, pair: serverPair, hello: { representative, hour }, padding })!
}

/** `bytes` with one bit turned over. */
function flipped(bytes: Buffer, bit: number): Buffer {
  const copy = Buffer.from(bytes)
  copy.writeUInt8(copy.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
  return copy
}

/** Feeds a reader what has come so far, each time a little more, until it has made up its mind. */
function feed<Progress extends { state: string }>(
  read: (bytes: Buffer) => Progress,
  bytes: Buffer,
  ends: number[],
): Progress {
  for (const end of ends) {
    const progress = read(bytes.subarray(0, end))
    if (progress.state !== 'more') return progress
  }
  return read(bytes)
}

const everyByte = (bytes: Buffer): number[] => Array.from({ length: bytes.length }, (_, i) => i)

test('the sizes are those of the protocol', () => {
  expect({ ...sizes, ...constants }).toMatchObject({
    maxHandshakeLength: 8192,
    clientHelloOverhead: 64,
    minClientPadding: 77,
    maxClientPadding: 8128,
    maxServerPadding: 8051,
    minClientHello: 141,
    maxFrameLength: 1448,
    minBoxLength: 16,
    maxBoxLength: 1446,
    maxPacketPayload: 1427,
    keyMaterialLength: 144,
    certLength: 52,
    replayTtl: 10_800_000,
  })
})

describe('both sides', () => {
  test('say, byte for byte, what the vector has, and come to its keys', () => {
    expect(client().hello).toEqual(hello)
    expect(server()(hello)).toEqual({
      state: 'done',
      hello: { representative: Buffer.from(clientPair.representative), hour: vectorHour },
      mac: hello.subarray(-16),
      trailing: false,
    })
    const { bytes, keyMaterial } = answer(vectorHour)
    expect(bytes).toEqual(answerBytes)
    expect(keyMaterial).toEqual(hex(vector.okm144))
    const sealer = new FrameSealer(keyMaterial.subarray(72))
    expect(sealer.seal(1, drbgSeed, 0)).toEqual(hex(vector.server_frame1_prngseed_00to17))
    expect(client().read(answerBytes)).toEqual({ state: 'done', keyMaterial, surplus: Buffer.alloc(0) })
  })

  test('agree with the least and the most padding', () => {
    for (const length of [constants.minClientPadding, constants.maxClientPadding]) {
      const bytes = client(vectorHour, Buffer.alloc(length, 1)).hello
      expect(bytes).toHaveLength(constants.clientHelloOverhead + length)
      expect(feed(server(), bytes, everyByte(bytes)).state).toBe('done')
    }
    for (const length of [0, constants.maxServerPadding]) {
      const { bytes } = answer(vectorHour, Buffer.alloc(length, 1))
      expect(feed((received) => client().read(received), bytes, everyByte(bytes)).state).toBe('done')
    }
  })
})

describe('the server', () => {
  test('needs more for every strict prefix of a hello', () => {
    const read = server()
    for (const end of everyByte(hello)) expect(read(hello.subarray(0, end))).toEqual({ state: 'more' })
    expect(read(hello).state).toBe('done')
  })

  test.each([-1, 0, 1])(
    'takes a hello of a client whose clock is %i h ahead, and answers for the client’s hour',
    (ahead) => {
      const bytes = client(vectorHour + ahead).hello
      const progress = server()(bytes)
      expect(progress).toMatchObject({ state: 'done', hello: { hour: vectorHour + ahead } })
      expect(client(vectorHour + ahead).read(answer(vectorHour + ahead).bytes).state).toBe('done')
    },
  )

  test.each([-48, -24, -2, 2, 7, 48])('refuses one whose clock is %i h ahead, and can say so', (ahead) => {
    const progress = server()(client(vectorHour + ahead).hello)
    if (progress.state !== 'failed' || progress.stage !== 'mac') return expect.fail(progress.state)
    expect(progress.hoursAhead()).toBe(ahead)
  })

  test('has no hour for a MAC that fits none', () => {
    const progress = server()(flipped(hello, 8 * hello.length - 1))
    if (progress.state !== 'failed' || progress.stage !== 'mac') return expect.fail(progress.state)
    expect(progress.hoursAhead()).toBeUndefined()
  })

  test('gives the MAC of a hello, by which the caller asks whether it was here before', () => {
    expect(server()(hello)).toMatchObject({ state: 'done', mac: hello.subarray(-16), trailing: false })
  })

  test('finds no mark before the tail: bytes behind a hello make it wait, and fail at 8192', () => {
    const trailing = Buffer.concat([hello, Buffer.from('x')])
    const read = server()
    expect(read(trailing)).toEqual({ state: 'more' })
    expect(read(Buffer.concat([trailing], 8191))).toEqual({ state: 'more' })
    expect(read(Buffer.concat([trailing], 8192))).toEqual({ state: 'failed', stage: 'mark' })
  })

  test('says that there are bytes after the longest hello', () => {
    const longest = client(vectorHour, Buffer.alloc(constants.maxClientPadding)).hello
    expect(server()(Buffer.concat([longest, Buffer.from('x')]))).toMatchObject({ state: 'done', trailing: true })
  })

  test('refuses a hello with less padding than any client sends', () => {
    const short = client(vectorHour, Buffer.alloc(constants.minClientPadding - 1)).hello
    expect(server()(short)).toEqual({ state: 'more' })
  })

  test('has no answer for a client whose key is of low order', () => {
    const answered = answerHello({
      identity,
      pair: serverPair,
      hello: { representative: Buffer.alloc(32), hour: vectorHour },
      padding: Buffer.alloc(0),
    })
    expect(answered).toBeUndefined()
  })

  test('takes nothing that differs from a hello in one bit', () => {
    for (let bit = 0; bit < 8 * hello.length; bit++) expect(server()(flipped(hello, bit)).state).not.toBe('done')
  })

  test('takes no noise, however it is cut', () => {
    const ends = fc.array(fc.nat(9_000), { maxLength: 5 }).map((list) => list.toSorted((a, b) => a - b))
    fc.assert(
      fc.property(fc.nat(10_000), fc.integer(), ends, (length, seed, cuts) => {
        const noise = repeatable(seed).randomBytes(length)
        const progress = feed(server(), noise, cuts)
        expect(progress).toEqual(length < 8192 ? { state: 'more' } : { state: 'failed', stage: 'mark' })
      }),
      { numRuns: 60 },
    )
  })
})

describe('the client', () => {
  test('needs more for every strict prefix of an answer, and gives back what comes behind it', () => {
    const handshake = client()
    for (const end of everyByte(answerBytes)) expect(handshake.read(answerBytes.subarray(0, end)).state).toBe('more')
    for (const surplus of ['', 'x', 'a whole frame or two', 'y'.repeat(9_000)]) {
      const progress = handshake.read(Buffer.concat([answerBytes, Buffer.from(surplus)]))
      expect(progress).toMatchObject({ state: 'done', surplus: Buffer.from(surplus) })
    }
  })

  test('refuses an answer that differs in one bit, and says at which stage', () => {
    const stages = new Map<string, number>()
    for (let bit = 0; bit < 8 * answerBytes.length; bit++) {
      const progress = client().read(flipped(answerBytes, bit))
      expect(progress.state).not.toBe('done')
      const stage = progress.state === 'failed' ? progress.stage : 'more'
      stages.set(stage, (stages.get(stage) ?? 0) + 1)
    }
    // Without its mark an answer has no end yet; AUTH and padding are under the MAC.
    expect(Object.fromEntries(stages)).toEqual({ more: 8 * (32 + 16), mac: 8 * (32 + 5 + 16) })
  })

  test('says by how many hours an answer is for another hour', () => {
    expect(client().read(answer(vectorHour + 3).bytes)).toEqual({ state: 'failed', stage: 'hour', hoursAhead: 3 })
    expect(client().read(answer(vectorHour - 48).bytes)).toEqual({ state: 'failed', stage: 'hour', hoursAhead: -48 })
    expect(client().read(answer(vectorHour + 49).bytes)).toEqual({ state: 'failed', stage: 'mac' })
  })

  test('trusts nobody who does not hold the bridge’s key, although mark and MAC are right', () => {
    const markAt = answerBytes.length - 32
    const signed = Buffer.from(answerBytes.subarray(0, markAt + 16)).fill(7, 32, 64)
    const forged = Buffer.concat([signed, helloMac(macKey, signed, vectorHour)])
    expect(client().read(forged)).toEqual({ state: 'failed', stage: 'auth' })
  })

  test('gives up at 8192 bytes without a mark, or with one that has no room for its MAC', () => {
    const noise = repeatable(1).randomBytes(8192)
    expect(client().read(noise.subarray(0, 8191))).toEqual({ state: 'more' })
    expect(client().read(noise)).toEqual({ state: 'failed', stage: 'mark' })
    const late = Buffer.concat([answerBytes.subarray(0, 64), Buffer.alloc(8192 - 64 - 31), answerBytes.subarray(-32)])
    expect(late).toHaveLength(8193)
    expect(client().read(late)).toEqual({ state: 'failed', stage: 'mark' })
  })

  test('takes no noise, however it is cut', () => {
    fc.assert(
      fc.property(fc.nat(10_000), fc.integer(), fc.nat(9_000), (length, seed, cut) => {
        const noise = repeatable(seed).randomBytes(length)
        const progress = feed((bytes) => client().read(bytes), noise, [cut])
        expect(progress).toEqual(length < 8192 ? { state: 'more' } : { state: 'failed', stage: 'mark' })
      }),
      { numRuns: 60 },
    )
  })
})
