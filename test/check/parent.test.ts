/** Parents: ours, tor, and mutants of a small one, each with a PT that the checker plays. */
import type { Report } from 'postern/check'
import { checkParent, exitStatus } from 'postern/check'
import { describe, expect, test } from 'vitest'
import { long, peer, root } from '../support.ts'
import { idsOf } from './support.ts'

/**
 * What `npm test` asks of our own parent. `npm run test:long` asks everything: the other probes start the parent a dozen times
 * more. It also has tor and a parent in bash, which take a minute together, and most of the mutants.
 */
const common = ['FLOW-1', 'ENV-1', 'ENV-4', 'LINE-2', 'STOP-1']
const brief = {
  client: [...common, 'CENV-1', 'CENV-5', 'ARGS-2', 'ARGS-4', 'ARGS-5'],
  server: [...common, 'SENV-1', 'SENV-4', 'SENV-5', 'SENV-7', 'SENV-9', 'SENV-12', 'SENV-14', 'EXT-3'],
}

const standIn = `${root}dist/check/parent/stand-in.js`

async function check(exec: readonly string[], only?: readonly string[]): Promise<Report> {
  const env = { PATH: process.env['PATH'] }
  return await checkParent({ exec, standIn, node: process.execPath, env, only, skipSlow: true, patience: 60_000 })
}

function program(...words: string[]): string[] {
  return [process.execPath, `${root}test/fixtures/mutants/parent.mjs`, ...words]
}

test.for(['client', 'server'] as const)(
  'FLOW-1, STOP-1, LINE-2, EXT-3: our parent keeps every requirement of a parent of a %s',
  { timeout: 180_000 },
  async (role) => {
    const report = await check(program(role, '{pt}', '{dir}'), long ? undefined : brief[role])
    const { kept, ...rest } = idsOf(report, role)
    const notApplicable = role === 'client' ? [] : ['SENV-14']
    expect(rest).toEqual({ broken: [], advice: [], unknown: [], notApplicable })
    expect([...kept, ...notApplicable]).toEqual(expect.arrayContaining(brief[role]))
  },
)

/** tor on its own, with nothing open to the network and a bridge that nobody is. */
const quiet = ['-f', '{dir}/torrc', '--ignore-missing-torrc', '--DataDirectory', '{dir}', '--SocksPort', '0']

function parentsOfOthers(): void {
  test(
    'CENV-5, STOP-1, LINE-2: tor hands on a stale proxy, asks by SIGTERM at once, and knows keywords by their beginning',
    {
      timeout: 600_000,
    },
    async (context) => {
      const bridges = ['dummy 127.0.0.1:1 key=va;pad=xyz', 'other 127.0.0.1:1 key=vb'].flatMap((line) => [
        '--Bridge',
        line,
      ])
      const plugin = ['--UseBridges', '1', ...bridges, '--ClientTransportPlugin', 'dummy,other exec {pt}']
      const report = await check([peer('tor', context), ...quiet, ...plugin])
      expect(idsOf(report, 'client')).toEqual({
        kept: [
          'ARGS-2',
          'ARGS-4',
          'ARGS-5',
          'CENV-1',
          'CM-5',
          'ENV-1',
          'ENV-4',
          'FLOW-1',
          'LOG-2',
          'STATUS-2',
          'TRAP-22',
          'TRAP-28',
        ],
        broken: ['CENV-5', 'LINE-2', 'STOP-1'],
        advice: [],
        unknown: [],
        notApplicable: [],
      })
      expect(exitStatus(report)).toBe(1)
    },
  )

  test('EXT-3, SENV-7, LINE-2: tor as the parent of a server', { timeout: 600_000 }, async (context) => {
    const ports = ['--ORPort', '127.0.0.1:auto', '--ExtORPort', '127.0.0.1:auto', '--AssumeReachable', '1']
    const plugin = ['--ServerTransportPlugin', 'dummy exec {pt}', '--ServerTransportOptions', 'dummy key=va']
    const report = await check([peer('tor', context), ...quiet, '--BridgeRelay', '1', ...ports, ...plugin])
    expect(idsOf(report, 'server')).toEqual({
      kept: [
        'ENV-1',
        'ENV-4',
        'EXT-3',
        'FLOW-1',
        'LOG-2',
        'SENV-1',
        'SENV-12',
        'SENV-4',
        'SENV-5',
        'SENV-7',
        'SENV-9',
        'STATUS-2',
        'TRAP-22',
      ],
      broken: ['LINE-2', 'STOP-1'],
      advice: [],
      unknown: [],
      notApplicable: ['SENV-14'],
    })
  })

  test(
    'ARGS-5: a parent that is a shell script with curl keeps all but the NUL, which curl cannot send',
    {
      timeout: 300_000,
    },
    async (context) => {
      peer('curl', context)
      const report = await check(['bash', `${root}test/fixtures/parents/parent.sh`, '{pt}', '{dir}'])
      const { kept, ...rest } = idsOf(report, 'client')
      expect(rest).toEqual({ broken: ['ARGS-4', 'ARGS-5'], advice: [], unknown: [], notApplicable: ['CM-5'] })
      expect(kept).toContain('STOP-1')
    },
  )
}

if (long) describe('parents that others wrote', parentsOfOthers)

const mutants = [
  ['version', 'client', ['ENV-1']],
  ['state', 'client', ['ENV-4']],
  ['names', 'client', ['CENV-1']],
  ['proxy', 'client', ['CENV-5']],
  ['unknown', 'client', ['LINE-2']],
  ['prefix', 'client', ['LINE-2']],
  ['short-lines', 'client', ['LINE-2']],
  ['log', 'client', ['LOG-2', 'STATUS-2']],
  ['log-words', 'client', ['LOG-2', 'STATUS-2']],
  ['fragile', 'client', ['TRAP-22']],
  ['felled-by-death', 'client', ['TRAP-22']],
  ['no-ipv6', 'client', ['TRAP-28']],
  ['any-order', 'client', ['CM-5']],
  ['error-first', 'client', ['CM-5']],
  ['sigterm-first', 'client', ['STOP-1']],
  ['hasty', 'client', ['STOP-1']],
  ['args-raw', 'client', ['ARGS-2']],
  ['args-passwd', 'client', ['ARGS-5', 'ARGS-4']],
  ['args-cut', 'client', ['ARGS-4', 'ARGS-5']],
  ['no-names', 'server', ['SENV-1']],
  ['order', 'server', ['SENV-7']],
  ['twice', 'server', ['SENV-9']],
  ['options', 'server', ['SENV-4']],
  ['ext-unset', 'server', ['SENV-12']],
  ['cookie', 'server', ['SENV-14']],
] as const

test.concurrent.for(mutants.filter((_mutant, at) => long || at % 4 === 0))(
  '%s: a parent that breaks a rule is caught',
  { timeout: 180_000 },
  async ([mutant, role, breaks]) => {
    const report = await check(program(role, '{pt}', '{dir}', mutant), breaks)
    const { broken, advice } = idsOf(report, role)
    expect([...broken, ...advice].sort()).toEqual([...breaks].sort())
  },
)

test('PT_EXEC, PT_LAUNCH: a command without {pt}, and one that launches no PT', async () => {
  await expect(check(['true'])).rejects.toMatchObject({ code: 'PT_EXEC' })
  const nothing = checkParent({ exec: ['sleep', '{pt}'], standIn, patience: 300 })
  await expect(nothing).rejects.toMatchObject({ code: 'PT_LAUNCH' })
})
