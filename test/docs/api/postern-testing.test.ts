/** The examples of docs/api/testing.md. */
import { transportCases } from 'postern/testing'
import { describe, expect, test } from 'vitest'
import { rotByN } from '../../../examples/rot-by-n.ts'

describe('the suite as the page shows it', () => {
  const myTransport = rotByN
  // example: transportCases
  for (const { name, run } of transportCases(myTransport, { badClientArgs: [{ N: 'many' }] })) test(name, run)
  // end
  test('rot_by_N is what it is shown with', () => expect(myTransport.name).toBe('rot_by_N'))
})
