/** The examples of docs/api/check.md. */
import { ownPt } from 'postern'
import { checkPt, exitStatus, formatText, listProbes } from 'postern/check'
import { expect, test } from 'vitest'

test('checkPt', async () => {
  // example: checkPt
  const report = await checkPt({ exec: ownPt(), transport: 'obfs4', only: ['CM-4'] })
  console.log(formatText(report))
  expect(exitStatus(report)).toBe(0)
  // end
})

test('listProbes', () => {
  // example: listProbes
  const slow = listProbes('pt').filter((probe) => probe.slow)
  // end
  expect(slow.length).toBeGreaterThan(0)
})
