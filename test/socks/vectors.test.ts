/** What other implementations do, and our own reading where they differ: the SOCKS servers' part of ipc-vectors.json. */
import { describe, expect, test } from 'vitest'
import { replyFor } from '../../src/socks/index.ts'
import { formatReply5 } from '../../src/socks/wire.ts'
import type { Vector } from '../vectors.ts'
import { bytesOf, vectorsOf } from '../vectors.ts'
import type { Outcome } from './dialogue.ts'
import { converse, hex, openSockets } from './dialogue.ts'

interface Expected {
  readonly reply?: string
  readonly target?: string
  readonly args?: readonly (readonly [string, string])[]
  readonly userid?: string
  readonly consumed?: number
  readonly error?: unknown
}

const of = (area: string): (readonly [name: string, vector: Vector])[] =>
  vectorsOf(area).map((vector) => [`${vector.id} ${vector.note}`, vector])

const inputBytes = (vector: Vector): Buffer => bytesOf(String(vector.input))

const talk = async (...chunks: Buffer[]): Promise<Outcome> => converse(await openSockets(), chunks, { fin: true })

const CONNECT5 = hex('05 01 00 01 7f000001 0050')

describe('socks5.greeting', () => {
  test.each(of('socks5.greeting'))('%s', async (_name, vector) => {
    const { reply, error } = vector.expect as Expected
    // The vector of a server that prefers no authentication.
    const prefer = vector.note.includes('prefers NO AUTH') ? 'none' : 'auth'
    const { received } = await converse(await openSockets(), [inputBytes(vector)], { fin: true, prefer })
    if (reply !== undefined) expect(received.toString('hex')).toBe(reply)
    // Nothing, or what RFC 1928 wants where no method is acceptable.
    else expect(error === undefined ? '' : ['', '05ff']).toContain(received.toString('hex'))
  })
})

describe('socks5.auth', () => {
  test.each(of('socks5.auth'))('%s', async (_name, vector) => {
    const expected = vector.expect as Expected
    const greeting = hex('05 01 02')
    if (vector.input === 'request bytes pipelined behind the auth message') {
      // Others give up here; we keep what is not read yet.
      const { request } = await talk(Buffer.concat([greeting, hex('01 03 6b3d76 01 00'), CONNECT5]))
      expect(request?.args.toJSON()).toEqual([['k', 'v']])
      return
    }
    const { received, request } = await talk(greeting, passwordMessage(vector), CONNECT5)
    expect(received.subarray(2, 4).toString('hex')).toBe(expected.reply ?? '0100')
    expect(request?.args.toJSON()).toEqual(expected.args)
  })

  function passwordMessage(vector: Vector): Buffer {
    if (typeof vector.input === 'string') return inputBytes(vector)
    const { uname, passwd } = vector.input as { uname: string; passwd: string }
    const field = (text: string): Buffer => Buffer.concat([Uint8Array.of(text.length), Buffer.from(text)])
    return Buffer.concat([Uint8Array.of(1), field(uname), field(passwd)])
  }
})

describe('socks5.request', () => {
  test.each(of('socks5.request'))('%s', async (_name, vector) => {
    const { reply, target, error } = vector.expect as Expected
    const { received, request, error: thrown } = await talk(hex('05 01 00'), inputBytes(vector))
    expect(request?.target).toBe(target)
    if (target === undefined) expect(thrown).toMatchObject({ name: 'PtError' })
    if (reply !== undefined) expect(received.subarray(2).toString('hex')).toBe(reply)
    if (error === 'domain length 0') expect(received.subarray(2)).toEqual(Buffer.from(formatReply5(1)))
  })
})

describe('socks5.reply', () => {
  test.each(of('socks5.reply'))('%s', (_name, vector) => {
    const status = typeof vector.input === 'object' ? (vector.input as { status: number }).status : 0
    expect(`hex:${Buffer.from(formatReply5(status)).toString('hex')}`).toBe(vector.expect)
  })
})

describe('socks5.replyCode', () => {
  test.each(of('socks5.replyCode'))('%s', (_name, vector) => {
    const code = String(vector.input)
    // Ours differs for one: after 8 Arti never tries again, and an address can come back.
    const expected = code === 'EADDRNOTAVAIL' ? 1 : vector.expect
    expect(replyFor(Object.assign(new Error('connect'), { code }))).toBe(expected)
  })
})

describe('socks4.server', () => {
  test.each(of('socks4.server'))('ARCH-2, ARGS-3: %s', async (_name, vector) => {
    const { target, userid = '', consumed } = vector.expect as Expected
    const whole = inputBytes(vector)
    const sent = whole.subarray(0, consumed)
    const surplus = whole.subarray(sent.length)
    if (userid !== '' && !userid.includes('=')) {
      // A user id is arguments here; one that is not is refused (ARGS-6), and the rest is read with one that is.
      const { received, error } = await talk(sent)
      expect(error).toMatchObject({ code: 'PT_ARGS' })
      expect(received.toString('hex')).toBe('005b000000000000')
    }
    const args = userid === '' ? '' : `a=${userid}`
    const at = sent.indexOf(userid, 8)
    const meant = Buffer.concat([sent.subarray(0, at), Buffer.from(args), sent.subarray(at + userid.length), surplus])
    const { received, request } = await talk(meant)
    expect(request).toMatchObject({ version: 4, target })
    expect(request?.args.toJSON()).toEqual(userid === '' ? [] : [['a', userid]])
    expect(received).toEqual(Buffer.concat([hex('005a000000000000'), surplus]))
  })
})
