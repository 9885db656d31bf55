import { transportCases } from 'postern/testing'
import { describe, test } from 'vitest'
import { polling } from '../../examples/polling.ts'

describe('polling', () => {
  const options = {
    serverOptions: { idle: '2000' },
    badServerOptions: [{ idle: 'long' }],
    badClientArgs: [{ idle: '1' }],
    outlivesConnections: true,
    halfClose: true,
  }
  for (const { name, run } of transportCases(polling, { ...options, patience: 20_000 })) test(name, run)
  for (const { name, run } of transportCases(polling, { ...options, halfClose: false, patience: 20_000 })) {
    if (name.startsWith('where the ')) test(name, run)
  }
})
