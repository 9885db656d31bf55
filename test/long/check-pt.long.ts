/** The checker against whole PTs: ours, and those of others, about which it finds what is known. */
import type { CheckPtOptions, Report } from 'postern/check'
import { checkPt, exitStatus } from 'postern/check'
import { expect, test } from 'vitest'
import { idsOf, ourPt } from '../check/support.ts'
import { goptlib } from '../interop/goptlib.ts'
import { peer } from '../support.ts'

/** A whole check; the machine may be busy, so there is time. */
async function check(exec: readonly string[], options: Partial<CheckPtOptions> = {}): Promise<Report> {
  return await checkPt({ exec, patience: 20_000, skipSlow: true, env: process.env, ...options })
}

test(
  'our PT keeps every requirement in both roles, and every trap but one; nothing is undecided',
  { timeout: 600_000 },
  async () => {
    const report = await check(ourPt, { transport: 'rot_by_N' })
    expect(report.transports).toEqual({ client: 'rot_by_N', server: 'rot_by_N' })
    for (const role of ['client', 'server'] as const) {
      const { kept, ...rest } = idsOf(report, role)
      expect(rest).toEqual({
        broken: [],
        // tor hands a relative DataDirectory on as it is, so we take it (docs/deviations.md).
        advice: ['TRAP-15'],
        notApplicable: [],
        unknown: [],
      })
      expect(kept.length).toBeGreaterThan(45)
    }
    expect(report.skipped).toEqual(['a client that says nothing is cut off within a minute (client)'])
    expect(exitStatus(report, true)).toBe(0)
  },
)

test(
  'obfs4proxy: unknown names get CMETHOD-ERROR, a bind address is mandatory, and what else is known of it',
  { timeout: 600_000 },
  async (context) => {
    const report = await check([peer('obfs4proxy', context)], { transport: 'obfs4' })
    expect(idsOf(report, 'client')).toMatchObject({
      broken: ['CM-4', 'FLOW-2', 'FLOW-3', 'PROXY-2'],
      advice: ['TRAP-10', 'TRAP-13', 'TRAP-14', 'TRAP-15', 'TRAP-19', 'TRAP-2'],
      unknown: [],
    })
    expect(idsOf(report, 'server')).toMatchObject({
      broken: ['FLOW-2', 'FLOW-3', 'SENV-6'],
      advice: ['TRAP-10', 'TRAP-15', 'TRAP-2', 'TRAP-20', 'TRAP-23', 'TRAP-3'],
      unknown: [],
    })
    expect(exitStatus(report)).toBe(1)
  },
)

test(
  'goptlib’s dummies: a bad proxy without PROXY-ERROR, and what else is known of them',
  { timeout: 600_000 },
  async (context) => {
    const [client, server] = [goptlib('dummy-client', context), goptlib('dummy-server', context)]
    const [ofClient, ofServer] = [await check([client], { peer: [server] }), await check([server], { peer: [client] })]
    expect(idsOf(ofClient, 'client')).toMatchObject({
      broken: ['CM-4', 'PROXY-2', 'STOP-4'],
      advice: ['TRAP-10', 'TRAP-11', 'TRAP-13', 'TRAP-15', 'TRAP-18', 'TRAP-19', 'TRAP-2', 'TRAP-3'],
      unknown: [],
    })
    expect(idsOf(ofServer, 'server')).toMatchObject({
      broken: ['SENV-6', 'STOP-4'],
      advice: ['TRAP-10', 'TRAP-11', 'TRAP-15', 'TRAP-18', 'TRAP-2', 'TRAP-20', 'TRAP-23', 'TRAP-3'],
      unknown: [],
    })
  },
)

test('PT_LAUNCH, PT_EXEC: a program that is no PT, and no program', async () => {
  await expect(check(['true'])).rejects.toMatchObject({ code: 'PT_LAUNCH' })
  await expect(check(['/nonexistent/program'])).rejects.toMatchObject({ code: 'PT_LAUNCH' })
  await expect(check([])).rejects.toMatchObject({ code: 'PT_EXEC' })
})
