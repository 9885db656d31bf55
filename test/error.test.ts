import { expect, it } from 'vitest'
import { errorCodes, isPtError, PtError } from '../src/error.ts'

it('an error has its code, its cause, its protocol line and its stage', () => {
  const cause = new Error('why')
  const error = new PtError('PT_ENV', 'what', { cause, line: 'ENV-ERROR what', stage: 'dns' })
  expect(error).toMatchObject({
    name: 'PtError',
    code: 'PT_ENV',
    message: 'what',
    cause,
    line: 'ENV-ERROR what',
    stage: 'dns',
  })
  expect(new PtError('PT_ENV', 'what')).not.toHaveProperty('cause')
})

it('isPtError asks for the code and not for the class', () => {
  const foreign = Object.assign(new Error('x'), { name: 'PtError', code: 'PT_CLOSED' })
  expect([isPtError(foreign), isPtError(foreign, 'PT_LIMIT', 'PT_CLOSED'), isPtError(foreign, 'PT_LIMIT')]).toEqual([
    true,
    true,
    false,
  ])
  expect([isPtError(new Error('x')), isPtError({ name: 'PtError' }), isPtError(undefined)]).toEqual([
    false,
    false,
    false,
  ])
})

it('every code has one sentence', () => {
  for (const [code, sentence] of Object.entries(errorCodes)) {
    expect(code).toMatch(/^PT_[A-Z_]+$/)
    expect(sentence).toMatch(/^[A-Z].*[a-z>)]\.$/)
  }
})
