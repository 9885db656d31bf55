import { breaches, statementOf } from 'postern/check'
import { describe, expect, test } from 'vitest'
import { mutants } from './mutants.ts'
import { checkMutant, idsOf } from './support.ts'

/**
 * `npm test` has every fourth mutant meet the probes of what it breaks, from the third on: none of those is waited for long.
 * `npm run test:long` has all of them, and each meets every other probe too, which takes an hour; POSTERN_LONG=ci leaves that
 * to a few.
 */
const long = process.env['POSTERN_LONG']
const met = mutants.filter((_mutant, at) => long !== undefined || at % 4 === 2)

/** One of each kind of breach that could be taken for another. */
const sample = new Set(['version-error-text', 'method-00', 'args-second'])
const crossed = long === undefined ? [] : mutants.filter(([name]) => long === 'all' || sample.has(name))

describe('mutants', { concurrent: true }, () => {
  test.each(met)(
    '%s (%s) is caught by the probes of what it breaks',
    { timeout: 300_000 },
    async (name, role, breaks) => {
      const report = await checkMutant(name, role, { only: breaks, concurrency: 2 })
      const caught = report.results.filter(({ verdict }) => verdict === 'broken').map(({ id }) => id)
      expect([...new Set(caught)].sort()).toEqual([...breaks].sort())
    },
  )

  test.each(crossed)('%s (%s) is caught by no other probe', { timeout: 1_200_000 }, async (name, role, breaks) => {
    const report = await checkMutant(name, role)
    const { broken, advice } = idsOf(report, role)
    expect([...broken, ...advice].sort()).toEqual([...breaks].sort())
  })
})

test('there are mutants for every kind of breach: 40 at least, and one for each id that a probe of a PT can find broken', async () => {
  expect(new Set(mutants.map(([name]) => name)).size).toBeGreaterThanOrEqual(40)
  for (const [, , breaks] of mutants) for (const id of breaks) expect(statementOf(id)?.id).toBe(id)
  const caught = new Set(mutants.flatMap(([, , breaks]) => breaks))
  const { ptProbes } = await import('../../src/check/pt/probes/index.ts')
  const ids = new Set((['client', 'server'] as const).flatMap((role) => ptProbes(role)).flatMap(({ ids }) => ids))
  // TRAP-14 and TRAP-17: the mutants take no socks4a proxy and do not wait.
  expect([...ids].filter((id) => !caught.has(id)).sort()).toEqual(['TRAP-14', 'TRAP-17'])
})

test(
  'a breach says what was sent, expected and seen, and the statement that it rests on',
  { timeout: 60_000 },
  async () => {
    const { results } = await checkMutant('cmethod-error', 'client', { only: ['CM-4'] })
    const [breach] = breaches(results).error
    expect(breach).toMatchObject({
      id: 'CM-4',
      level: 'MUST',
      section: 'Client Messages',
      says: statementOf('CM-4')!.says,
    })
    expect(breach!.steps.at(-1)).toEqual({
      sent: 'the environment of a client, and\nTOR_PT_CLIENT_TRANSPORTS=nosuch_transport_9',
      expected: 'CMETHODS DONE and no CMETHOD-ERROR',
      seen: 'VERSION 1\nCMETHOD-ERROR nosuch_transport_9 no such transport\nCMETHODS DONE',
    })
  },
)
