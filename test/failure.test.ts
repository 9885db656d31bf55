import { expect, test } from 'vitest'
import { errorCodes, messageOf, PtError } from '../src/error.ts'
import {
  connectionFailure,
  furthestStage,
  parseStage,
  replyOfSystemError,
  stageOf,
  stages,
  verdictOf,
  withAdvice,
} from '../src/failure.ts'
import { replyFor } from '../src/socks/index.ts'
import { replies } from '../src/socks/wire.ts'

const system = (code: string): Error => Object.assign(new Error(`connect ${code}`), { code })

test.each([
  [new PtError('PT_HANDSHAKE', 'x', { stage: 'mac' }), 'mac'],
  [new PtError('PT_ARGS', 'x'), 'argument'],
  [new PtError('PT_ADDRESS', 'x'), 'argument'],
  [new PtError('PT_TIMEOUT', 'x'), 'timeout'],
  [new PtError('PT_CLOSED', 'x'), 'closed'],
  [new PtError('PT_PROXY', 'x'), 'proxy'],
  [new PtError('PT_CONNECT', 'x', { cause: system('ENOTFOUND') }), 'dns'],
  [new PtError('PT_CONNECT', 'x', { cause: new Error('x') }), 'connect'],
  [system('ECONNREFUSED'), 'connect'],
  [system('EHOSTUNREACH'), 'connect'],
  [system('ENETUNREACH'), 'local'],
  [system('ENETDOWN'), 'local'],
  [system('EADDRNOTAVAIL'), 'local'],
  [system('EMFILE'), 'local'],
  [system('ENFILE'), 'local'],
  [system('EACCES'), 'local'],
  [system('EPERM'), 'local'],
  [new PtError('PT_CONNECT', 'x', { cause: system('EMFILE') }), 'local'],
  [system('ECONNRESET'), 'closed'],
  [system('EWHATEVER'), undefined],
  [new Error('x'), undefined],
  ['x', undefined],
  [undefined, undefined],
])('%s failed at the stage %s', (error, stage) => {
  expect(stageOf(error)).toBe(stage)
})

test('for the log there are the words of the error, its stage, and what may help', () => {
  expect(withAdvice(new PtError('PT_HANDSHAKE', 'wrong hour', { stage: 'hour' }))).toBe(
    'wrong hour (hour: the clock of this machine, or that of the bridge, is wrong)',
  )
  expect(withAdvice(new Error('no cows'))).toBe('no cows')
})

test('each stage has a code, a reply that SOCKS knows, a sentence and an advice', () => {
  const names = Object.keys(stages)
  expect(names).toHaveLength(16)
  for (const [stage, { code, reply, sentence, advice }] of Object.entries(stages)) {
    expect(Object.keys(errorCodes)).toContain(code)
    if (reply !== undefined) expect(Object.keys(replies)).toContain(reply)
    for (const text of [sentence, advice]) expect(text, stage).toMatch(/^[a-z](?!.*\.$).{10,}/)
  }
})

test('the error of a failed connection has the code, the stage and the sentence, and keeps what was said apart', () => {
  const cause = new PtError('PT_SOCKS_REFUSED', 'refused', { reply: 1 })
  const error = connectionFailure('mac', 'obfs4', { cause, reported: 'so it was' })
  expect(error).toMatchObject({ code: 'PT_HANDSHAKE', stage: 'mac', reply: 1, reported: 'so it was', cause })
  expect(error.message).toBe(`obfs4: ${verdictOf('mac')}`)
  expect(connectionFailure(undefined, 'obfs4', { cause })).toMatchObject({
    code: 'PT_HANDSHAKE',
    stage: undefined,
    message: 'obfs4: the connection failed',
  })
})

test('of several stages the furthest is that of the bridge which answered', () => {
  expect(furthestStage(['connect', 'auth', 'timeout'])).toBe('auth')
  expect(furthestStage(['argument', 'local', 'dns'])).toBe('dns')
  expect(furthestStage([])).toBeUndefined()
})

test('a word that is no stage is none, whatever object it comes from', () => {
  expect(['mark', 'toString', 'MARK', '', undefined].map((text) => parseStage(text))).toEqual([
    'mark',
    undefined,
    undefined,
    undefined,
    undefined,
  ])
  const foreign = Object.assign(new Error('x'), { name: 'PtError', code: 'PT_HANDSHAKE', stage: 'quic' })
  expect([stageOf(foreign), replyFor(foreign)]).toEqual([undefined, replies.generalFailure])
})

test.each([
  ['ECONNREFUSED', 'connectionRefused'],
  ['EHOSTUNREACH', 'hostUnreachable'],
  ['ENETUNREACH', 'networkUnreachable'],
  ['EAI_AGAIN', 'hostUnreachable'],
  ['EMFILE', undefined],
  ['EWHATEVER', undefined],
])('the reply for %s is %s', (code, reply) => {
  expect(replyOfSystemError(code)).toBe(reply)
})

test.each([
  [new Error('x'), 'x'],
  [new Error(''), 'Error'],
  [Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }), 'ECONNREFUSED'],
  ['text', 'text'],
  ['', 'unknown error'],
  [undefined, 'unknown error'],
])('what was thrown always has a message: %s', (thrown, message) => {
  expect(messageOf(thrown)).toBe(message)
})
