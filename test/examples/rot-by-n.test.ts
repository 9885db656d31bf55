import { transportCases } from 'postern/testing'
import { describe, test } from 'vitest'
import { rotByN } from '../../examples/rot-by-n.ts'

describe('rot_by_N', () => {
  const options = {
    serverOptions: { N: '200' },
    badServerOptions: [{ N: '256' }, { N: '-1' }],
    badClientArgs: [{}, { N: '' }, { N: 'many' }],
  }
  for (const { name, run } of transportCases(rotByN, { ...options, patience: 20_000 })) test(name, run)
})
