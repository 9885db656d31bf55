import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import type { PtErrorCode } from '../../src/error.ts'
import type { DialStage } from '../../src/failure.ts'
import { PtError } from '../../src/error.ts'
import { replyFor } from '../../src/socks/index.ts'
import { converse, hex, openSockets } from './dialogue.ts'

const system = (code: string): Error => Object.assign(new Error(`connect ${code}`), { code })
const failed = (stage: DialStage, cause?: unknown): PtError => new PtError('PT_HANDSHAKE', 'no', { stage, cause })
const pt = (code: PtErrorCode, cause?: unknown): PtError => new PtError(code, 'no', { cause })
const refusedBy = (reply: number): Error => Object.assign(pt('PT_SOCKS_REFUSED'), { reply })

const circle = new Error('a')
circle.cause = new Error('b', { cause: circle })

const rows: readonly (readonly [code: number, what: string, error: unknown])[] = [
  [5, 'ECONNREFUSED', system('ECONNREFUSED')],
  [5, 'ECONNRESET', system('ECONNRESET')],
  [5, 'ECONNABORTED', system('ECONNABORTED')],
  [5, 'EPIPE', system('EPIPE')],
  [3, 'ENETUNREACH', system('ENETUNREACH')],
  [3, 'ENETDOWN', system('ENETDOWN')],
  [4, 'EHOSTUNREACH', system('EHOSTUNREACH')],
  [4, 'EHOSTDOWN', system('EHOSTDOWN')],
  [4, 'ENOTFOUND', system('ENOTFOUND')],
  [4, 'EAI_AGAIN', system('EAI_AGAIN')],
  [4, 'EAI_FAIL', system('EAI_FAIL')],
  [6, 'ETIMEDOUT', system('ETIMEDOUT')],
  [1, 'EADDRNOTAVAIL, after whose own code 8 Arti would never try again', system('EADDRNOTAVAIL')],
  [1, 'EACCES', system('EACCES')],
  [1, 'a code that is the name of an inherited property', system('constructor')],
  [1, 'an error without a code', new Error('no')],
  [1, 'no error at all', undefined],
  [1, 'a string', 'ECONNREFUSED'],
  [6, 'a TimeoutError', new DOMException('late', 'TimeoutError')],
  [1, 'an AbortError', new DOMException('ended', 'AbortError')],
  [2, 'ARGS-6: PT_ARGS', pt('PT_ARGS')],
  [2, 'ARGS-6: stage argument', failed('argument')],
  [4, 'stage dns', failed('dns')],
  [6, 'stage timeout', failed('timeout')],
  [5, 'stage closed', failed('closed')],
  [1, 'stage mark', failed('mark')],
  [1, 'stage mac', failed('mac')],
  [1, 'stage hour', failed('hour')],
  [1, 'stage auth', failed('auth')],
  [1, 'stage mac, whatever its cause', failed('mac', system('ECONNRESET'))],
  [1, 'stage connect without a cause', failed('connect')],
  [3, 'stage connect, by its cause', failed('connect', system('ENETUNREACH'))],
  [3, 'stage local, by its cause', failed('local', system('ENETUNREACH'))],
  [1, 'stage local, of what passes', failed('local', system('EMFILE'))],
  [6, 'PT_TIMEOUT', pt('PT_TIMEOUT')],
  [5, 'PT_CLOSED', pt('PT_CLOSED')],
  [1, 'PT_HANDSHAKE without a stage', pt('PT_HANDSHAKE')],
  [5, 'PT_CONNECT, by its cause', pt('PT_CONNECT', system('ECONNREFUSED'))],
  [4, 'a cause of a cause', new Error('a', { cause: new Error('b', { cause: system('EHOSTUNREACH') }) })],
  [1, 'causes in a circle', circle],
  [5, 'several attempts of which one was refused', new AggregateError([system('ENETUNREACH'), system('ECONNREFUSED')])],
  [6, 'several attempts of which one had no answer', new AggregateError([system('ENETUNREACH'), system('ETIMEDOUT')])],
  [3, 'several attempts in a cause', pt('PT_CONNECT', new AggregateError([system('ENETUNREACH'), new Error('no')]))],
  [1, 'no attempt at all', new AggregateError([])],
  [1, 'an upstream proxy that is down', pt('PT_PROXY', system('ECONNREFUSED'))],
  [1, 'stage proxy', failed('proxy', system('ETIMEDOUT'))],
  [4, 'an upstream proxy that replied 4', pt('PT_PROXY', refusedBy(4))],
  [5, "an upstream proxy's reply by itself", refusedBy(5)],
  [1, 'an upstream proxy that replied 2, which is its own rule', pt('PT_PROXY', refusedBy(2))],
  [1, 'an upstream proxy that replied 8', pt('PT_PROXY', refusedBy(8))],
  [1, 'an upstream proxy whose causes go in a circle', pt('PT_PROXY', circle)],
]

describe('replyFor', () => {
  test.each(rows)('%i for %s', (code, _what, error) => {
    expect(replyFor(error)).toBe(code)
  })

  test('only arguments are told to be for good: Arti never tries again after 2, 7 and 8', () => {
    const permanent = rows.filter(([, , error]) => [2, 7, 8].includes(replyFor(error)))
    expect(permanent.map(([, what]) => what)).toEqual(['ARGS-6: PT_ARGS', 'ARGS-6: stage argument'])
  })

  test('5 for a real refusal', async () => {
    const socket = connect(1, '127.0.0.1') // nobody listens there, nor will another test
    const [error] = (await once(socket, 'error')) as [Error]
    expect(replyFor(pt('PT_CONNECT', error))).toBe(5)
  })
})

test('refuse() sends the reply: its code for SOCKS 5, 5b for SOCKS 4 whatever the error', async () => {
  const requests = [
    ['05 01 00 05 01 00 01 7f000001 0050', '0500', (code: number) => `050${code} 0001 00000000 0000`],
    ['04 01 0050 7f000001 00', '', () => '005b 0000 00000000'],
  ] as const
  for (const [sent, before, reply] of requests) {
    for (const [code, , error] of rows) {
      const { received } = await converse(await openSockets(), [hex(sent)], {
        answer: (request) => request.refuse(error),
      })
      expect(received.toString('hex')).toBe(hex(before + reply(code)).toString('hex'))
    }
  }
})
