/** No verdict without evidence: programs that do nothing, or next to nothing, of what a PT does. */
import { checkPt, exitStatus, formatJunit, formatText, ptCases } from 'postern/check'
import { test } from 'vitest'

const programs = {
  'a program that says nothing': ['/bin/sleep', '100'],
  'a program that prints a word and dies': ['/bin/sh', '-c', 'echo hello'],
  'a program that only says that it is done': [
    '/bin/sh',
    '-c',
    'echo CMETHODS DONE; echo SMETHODS DONE; exec sleep 100',
  ],
  'a program that chooses a version and is done': [
    '/bin/sh',
    '-c',
    'echo VERSION 1; echo CMETHODS DONE; echo SMETHODS DONE; exec sleep 100',
  ],
} as const

/** Statements that silence seems to keep. */
const vacuous = ['NAME-1', 'NAME-2', 'TRAP-2', 'TRAP-24']

test.concurrent.for(
  Object.entries(programs).flatMap(([title, exec]) => [
    [title, exec, 'client'] as const,
    [title, exec, 'server'] as const,
  ]),
)(
  'FLOW-5: %s is no PT: it keeps nothing, and the check fails (%s, %s)',
  { timeout: 120_000 },
  async ([, exec, role], { expect }) => {
    const subject = { exec, roles: [role], transport: 'obfs4', patience: 500, only: [...vacuous, 'FLOW-5'] } as const
    const report = await checkPt(subject)
    expect(report.absent).toEqual([role])
    expect(report.results.filter(({ verdict }) => verdict === 'kept')).toEqual([])
    // Silence alone is no answer; a program that speaks, and says nothing of its transport, breaks it.
    const silent = exec[0] === '/bin/sleep'
    expect(report.results.find(({ id }) => id === 'FLOW-5')?.verdict).toBe(silent ? 'unknown' : 'broken')
    expect(exitStatus(report)).toBe(1)
    const sentence = `the program is no ${role} of obfs4: it announced that transport in none of its launches`
    expect(formatText(report)).toContain(sentence)
    expect(formatJunit(report)).toContain(`<failure message="${sentence}"/>`)
    for (const { run } of ptCases(subject).slice(0, 2)) await expect(run()).rejects.toThrow(sentence)
  },
)
