import { createHash, randomBytes, randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  answerPadding,
  epochOf,
  formatHello,
  helloPadding,
  maxHello,
  readAnswer,
} from '../../../src/transports/scramblesuit/hello.ts'
import { sessionKeys } from '../../../src/transports/scramblesuit/keys.ts'
import type { ClientHello, NoHello } from '../../../src/transports/scramblesuit/server-hello.ts'
import { helloReader } from '../../../src/transports/scramblesuit/server-hello.ts'
import type { TicketGenerations } from '../../../src/transports/scramblesuit/ticket.ts'
import {
  newTicketKeys,
  openTicket,
  rotateTicketKeys,
  sealTicket,
  ticketLifetime,
} from '../../../src/transports/scramblesuit/ticket.ts'
import { flip } from '../harness.ts'

const vectors = JSON.parse(readFileSync(new URL('../../vectors/transport-vectors.json', import.meta.url), 'utf8')) as {
  scramblesuit: Record<'kB' | 'mark' | 'mac' | 'prk', string>
  uniformdh_obfs3: Record<'pub_a' | 'secret', string>
}
const secret = Buffer.from(vectors.scramblesuit.kB, 'hex')
const publicKey = Buffer.from(vectors.uniformdh_obfs3.pub_a, 'hex')
const hour = 480_000
const week = ticketLifetime

describe('formatHello', () => {
  test('the vector: X, no padding, mark and MAC of the hour 480000', () => {
    const { mark, mac } = vectors.scramblesuit
    expect(formatHello(secret, publicKey, Buffer.alloc(0), hour).toString('hex')).toBe(
      vectors.uniformdh_obfs3.pub_a + mark + mac,
    )
  })

  test('the vector: the master key is the SHA-256 of the UniformDH secret', () => {
    const shared = Buffer.from(vectors.uniformdh_obfs3.secret, 'hex')
    expect(createHash('sha256').update(shared).digest('hex')).toBe(vectors.scramblesuit.prk)
  })

  test('paddings stay within 1532 bytes of a client and one segment of 1448 of a bridge', () => {
    for (let i = 0; i < 500; i++) {
      expect(formatHello(secret, publicKey, helloPadding(publicKey), hour).length).toBeLessThanOrEqual(1532)
      expect(formatHello(secret, Buffer.alloc(112), helloPadding(Buffer.alloc(112)), hour).length).toBeLessThanOrEqual(
        1532,
      )
      expect(formatHello(secret, publicKey, answerPadding(), hour).length).toBeLessThanOrEqual(1448)
    }
  })

  test('the hour is that of the clock, without a leading zero', () => {
    expect([epochOf(0), epochOf(3_599_999), epochOf(3_600_000), epochOf(480_000 * 3_600_000)]).toEqual([
      0, 0, 1, 480_000,
    ])
  })
})

describe('readAnswer', () => {
  test('every strict prefix asks for more; surplus bytes are not taken', () => {
    for (const padding of [0, 1, 1224, 1308]) {
      const answer = formatHello(secret, publicKey, randomBytes(padding), hour)
      for (let at = 0; at < answer.length; at++) {
        expect(readAnswer(secret, answer.subarray(0, at), hour)).toBeUndefined()
      }
      for (const surplus of [0, 1, 5000]) {
        const bytes = Buffer.concat([answer, randomBytes(surplus)])
        expect(readAnswer(secret, bytes, hour)).toEqual({ publicKey, size: answer.length })
      }
    }
  })

  test('PT_HANDSHAKE: no mark within 1532 bytes, and not one byte before', () => {
    const failure = expect.objectContaining({ code: 'PT_HANDSHAKE', stage: 'mark' })
    const late = formatHello(secret, publicKey, randomBytes(1309), hour)
    for (const bytes of [randomBytes(maxHello), randomBytes(60_000), late]) {
      expect(readAnswer(secret, bytes.subarray(0, maxHello - 1), hour)).toBeUndefined()
      expect(() => readAnswer(secret, bytes, hour)).toThrow(failure)
    }
  })

  test('PT_HANDSHAKE: another hour or a changed bit behind the mark is a wrong MAC', () => {
    const failure = expect.objectContaining({ code: 'PT_HANDSHAKE', stage: 'mac' })
    const answer = formatHello(secret, publicKey, randomBytes(30), hour)
    expect(() => readAnswer(secret, answer, hour + 1)).toThrow(failure)
    for (let bit = (answer.length - 16) * 8; bit < answer.length * 8; bit++) {
      expect(() => readAnswer(secret, flip(answer, bit), hour)).toThrow(failure)
    }
    expect(() => readAnswer(secret, flip(answer, 200 * 8), hour)).toThrow(failure) // in the padding
  })
})

describe('session tickets', () => {
  const now = 1_700_000_000
  const master = randomBytes(32)

  test('are 112 bytes, of which no two are alike, and open to their master key for seven days', () => {
    const generations: TicketGenerations = [newTicketKeys(now)]
    const ticket = sealTicket(generations[0], master, now)
    expect(ticket).toHaveLength(112)
    expect(sealTicket(generations[0], master, now)).not.toEqual(ticket)
    expect(openTicket(generations, ticket, now)).toEqual(master)
    expect(openTicket(generations, ticket, now + week)).toEqual(master)
    expect(openTicket(generations, ticket, now + week + 1)).toBeUndefined()
  })

  test('every changed bit, and the keys of another server, make them unreadable', () => {
    const generations: TicketGenerations = [newTicketKeys(now)]
    const ticket = sealTicket(generations[0], master, now)
    for (let bit = 0; bit < 112 * 8; bit++) expect(openTicket(generations, flip(ticket, bit), now)).toBeUndefined()
    expect(openTicket([newTicketKeys(now)], ticket, now)).toBeUndefined()
    for (let at = 0; at < 112; at++) expect(openTicket(generations, ticket.subarray(0, at), now)).toBeUndefined()
  })

  test('keys are replaced every seven days, and the previous ones are kept once', () => {
    const first: TicketGenerations = [newTicketKeys(now)]
    const ticket = sealTicket(first[0], master, now + week - 1)
    expect(rotateTicketKeys(first, now + week - 1)).toBe(first)
    const second = rotateTicketKeys(first, now + week)
    expect(second).toEqual([expect.objectContaining({ created: now + week }), first[0]])
    expect(openTicket(second, ticket, now + week)).toEqual(master)
    const third = rotateTicketKeys(second, now + 2 * week)
    expect(third).toEqual([expect.objectContaining({ created: now + 2 * week }), second[0]])
    expect(openTicket(third, ticket, now + 2 * week - 2)).toBeUndefined()
  })
})

describe('helloReader', () => {
  const now = hour * 3600
  const generations: TicketGenerations = [newTicketKeys(now)]
  const master = randomBytes(32)
  const ticket = sealTicket(generations[0], master, now)
  const ticketKey = sessionKeys(master).toServer.mac
  const reader = (): ((bytes: Buffer, epoch?: number) => ClientHello | NoHello | undefined) => {
    const read = helloReader({ secret, openTicket: (bytes) => openTicket(generations, bytes, now) })
    return (bytes, epoch = hour) => read(bytes, epoch)
  }
  const byPassword = (padding: number, epoch = hour): Buffer =>
    formatHello(secret, publicKey, randomBytes(padding), epoch)
  const byTicket = (padding: number, epoch = hour): Buffer =>
    formatHello(ticketKey, ticket, randomBytes(padding), epoch)

  test.each([0, 1, 500, 1308])('a UniformDH hello with %i bytes of padding, byte by byte', (padding) => {
    const [read, hello] = [reader(), byPassword(padding)]
    for (let at = 0; at < hello.length; at++) expect(read(hello.subarray(0, at))).toBeUndefined()
    const mac = hello.subarray(-16)
    expect(read(hello)).toEqual({ size: hello.length, mac, epoch: hour, by: { publicKey } })
  })

  test.each([0, 1, 500, 1388])('a ticket with %i bytes of padding, byte by byte, and data behind it', (padding) => {
    const [read, hello] = [reader(), byTicket(padding)]
    for (let at = 0; at < hello.length; at++) expect(read(hello.subarray(0, at))).toBeUndefined()
    for (const surplus of [0, 1, 5000]) {
      const found = reader()(Buffer.concat([hello, randomBytes(surplus)])) as ClientHello
      expect(found).toMatchObject({ size: hello.length, mac: hello.subarray(-16), epoch: hour })
      expect((found.by as { keys: { toServer: { mac: Buffer } } }).keys.toServer.mac).toEqual(ticketKey)
    }
  })

  test('the hour before and the hour after are taken, and said; others are not', () => {
    for (const make of [byPassword, byTicket]) {
      for (const skew of [-1, 0, 1]) expect(reader()(make(9, hour + skew))).toMatchObject({ epoch: hour + skew })
      for (const skew of [-2, 2, 100]) expect(reader()(make(9, hour + skew))).toBe('mac')
    }
  })

  test('a UniformDH hello with bytes behind it is none: no client sends any before it has the answer', () => {
    const read = reader()
    const bytes = Buffer.concat([byPassword(9), randomBytes(maxHello)])
    expect(read(bytes.subarray(0, 300))).toBeUndefined()
    expect(read(bytes)).toBe('mark')
  })

  test('1532 bytes without a mark are none, and not one byte before', () => {
    for (const bytes of [randomBytes(maxHello), byPassword(1309), byTicket(1389), flip(byPassword(1308), 3)]) {
      expect(reader()(bytes.subarray(0, maxHello - 1))).toBeUndefined()
      expect(reader()(bytes)).toBe('mark')
    }
    expect(reader()(randomBytes(70_000))).toBe('mark')
  })

  test('fuzz: no changed bit of either hello authenticates', () => {
    for (const hello of [byPassword(20), byTicket(20)]) {
      for (let bit = 0; bit < hello.length * 8; bit++) {
        expect([undefined, 'mac', 'mark']).toContain(reader()(flip(hello, bit)))
      }
    }
  })

  test('fuzz: random bytes in random pieces never authenticate, and are given up at 1532', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1532, maxLength: 3000 }), (random) => {
        const [read, bytes] = [reader(), Buffer.from(random)]
        for (let at = 0; at < maxHello; at += randomInt(1, 400)) expect(read(bytes.subarray(0, at))).toBeUndefined()
        expect(read(bytes)).toBe('mark')
      }),
      { numRuns: 50 },
    )
  })
})
