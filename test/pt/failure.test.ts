import { expect, test } from 'vitest'
import { PtError } from '../../src/error.ts'
import { stageOf } from '../../src/error.ts'
import { explain, messageOf } from '../../src/pt/failure.ts'

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

test('an explanation has the error, where it was, and what may help', () => {
  expect(explain(new PtError('PT_HANDSHAKE', 'wrong hour', { stage: 'hour' }))).toBe(
    'wrong hour (hour: the clock of this machine, or that of the bridge, is wrong)',
  )
  expect(explain(new Error('no cows'))).toBe('no cows')
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
