import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { PtError } from '../../src/error.ts'
import { readExactly } from '../../src/io/read.ts'
import type { Codec } from '../../src/io/carry/codec.ts'
import type { HandshakeOptions } from '../../src/transports/handshake.ts'
import { handshake, opposite } from '../../src/transports/handshake.ts'
import { tcpPair } from './harness.ts'

const plain: Codec = { encode: (bytes) => bytes, decode: (bytes) => [bytes] }

function options(signal: AbortSignal = new AbortController().signal): HandshakeOptions {
  return { timeout: 10_000, signal, late: 'too late', closed: 'too early' }
}

/** Runs `act` on a connection that the peer then resets. */
async function reset(act: (conn: Duplex) => Promise<Codec>): Promise<unknown> {
  const { near, far } = await tcpPair()
  const error = handshake(near, options(), () => act(near)).catch((error: unknown) => error)
  near.resume()
  far.resetAndDestroy()
  return await error
}

describe('handshake', () => {
  test('resolves with the connection behind the codec, and bytes that were not read are still there', async () => {
    const { near, far } = await tcpPair()
    far.end('hello, surplus')
    const conn = await handshake(near, options(), async (signal) => {
      expect((await readExactly(near, 7, signal)).toString()).toBe('hello, ')
      return plain
    })
    expect((await readExactly(conn, 7)).toString()).toBe('surplus')
    conn.destroy()
  })

  test('PT_HANDSHAKE: a connection that breaks while nobody reads it is a handshake that failed, and no more', async () => {
    const error = await reset(async (conn) => {
      await once(conn, 'close').catch(() => undefined)
      return plain
    })
    expect(error).toMatchObject({
      code: 'PT_HANDSHAKE',
      stage: 'closed',
      message: 'too early',
      cause: { code: 'ECONNRESET' },
    })
  })

  test('an error that is not the connection’s passes as it is, and ends the connection', async () => {
    const { near } = await tcpPair()
    const bug = Object.assign(new Error('a bug'), { code: 'ERR_BUG' })
    await expect(handshake(near, options(), () => Promise.reject(bug))).rejects.toBe(bug)
    expect(near.destroyed).toBe(true)
  })

  test('the reason of the signal passes as it is, and ends the connection', async () => {
    const { near } = await tcpPair()
    const abort = new AbortController()
    const reason = new Error('shutting down')
    const running = handshake(near, options(abort.signal), async (signal) => {
      await readExactly(near, 1, signal)
      return plain
    })
    abort.abort(reason)
    await expect(running).rejects.toBe(reason)
    expect(near.destroyed).toBe(true)
  })

  test('PT_HANDSHAKE: the time limit of the PT is told as our own is', async () => {
    const { near } = await tcpPair()
    const abort = new AbortController()
    const running = handshake(near, options(abort.signal), async (signal) => {
      await readExactly(near, 1, signal)
      return plain
    })
    abort.abort(new PtError('PT_TIMEOUT', 'the dial took longer than 60 s'))
    await expect(running).rejects.toMatchObject({ code: 'PT_HANDSHAKE', stage: 'timeout', message: 'too late' })
  })

  test('the opposite of each role is the other', () => {
    expect([opposite('Initiator'), opposite('Responder')]).toEqual(['Responder', 'Initiator'])
  })
})
