/** What is measured how often, what the command line means, and who else used the machine. */
import { describe, expect, it } from 'vitest'
import {
  CEILING,
  FLOOR,
  NODE_TLS,
  OUR_SERVER,
  OUR_TLS,
  OURS,
  PEER,
  readCandidate,
  SUCCESSOR,
  WEBTUNNEL_PEER,
} from '../../bench/candidates.mjs'
import { readFlags } from '../../bench/flags.mjs'
import { readCpuTimes, shareOfOthers } from '../../bench/noise.mjs'
import { estimateGrowth } from '../../bench/growth.mjs'
import { estimate, plan } from '../../bench/plan.mjs'
import { runCases } from '../../bench/run.mjs'
import { full, mostConnections, quick } from '../../bench/settings.mjs'

describe('the plan', () => {
  const settings = { ...quick, reps: 2, sideReps: 1, memoryReps: 1, otherMemoryReps: 1 }

  it('lets candidates take turns within a metric, another one first each time', () => {
    const cases = plan({ transports: ['obfs3'], metrics: ['bulk'], settings: { ...settings, sideReps: 0 } })
    expect(cases.map(({ rep, candidate }) => [rep, candidate])).toEqual([
      [0, PEER],
      [0, OURS],
      [0, SUCCESSOR],
      [1, OURS],
      [1, SUCCESSOR],
      [1, PEER],
    ])
  })

  it('measures floor and ceiling once, unpinned obfs4 only, and memory as often as is said', () => {
    const cases = plan({ transports: ['obfs4', 'obfs3'], metrics: ['bulk', 'memory'], settings })
    const count = (like: (one: (typeof cases)[number]) => boolean): number => cases.filter(like).length
    expect(count(({ candidate }) => candidate === CEILING)).toBe(1)
    expect(count(({ candidate }) => candidate === FLOOR)).toBe(2)
    expect(count(({ pinned, transport }) => !pinned && transport === 'obfs4')).toBe(4)
    expect(count(({ pinned, transport }) => !pinned && transport === 'obfs3')).toBe(0)
    expect(count(({ metric, candidate }) => metric === 'memory' && candidate === OURS)).toBe(1)
  })

  it('measures TLS beside node:tls alone, and not without being asked', () => {
    const cases = plan({ transports: ['obfs4', 'obfs3'], metrics: ['tls'], extra: ['other'], settings })
    expect(cases.map(({ rep, transport, candidate }) => [rep, transport, candidate])).toEqual([
      [0, 'TLS', NODE_TLS],
      [0, 'TLS', OUR_TLS],
      [1, 'TLS', OUR_TLS],
      [1, 'TLS', NODE_TLS],
    ])
    expect(readFlags([]).metrics).not.toContain('tls')
  })

  it('measures meek by our server alone, and not without being asked', () => {
    const cases = plan({ transports: ['obfs4', 'obfs3'], metrics: ['meek'], extra: ['other'], settings })
    expect(cases.map(({ rep, transport, candidate }) => [rep, transport, candidate])).toEqual([
      [0, 'meek', OUR_SERVER],
      [0, 'meek', OURS],
      [1, 'meek', OURS],
      [1, 'meek', OUR_SERVER],
    ])
    expect(readFlags([]).metrics).not.toContain('meek')
  })

  it('everything takes less than 36 minutes, and growth less than 8', () => {
    const { transports, metrics } = readFlags([])
    expect(estimate(plan({ transports, metrics, settings: full }), full)).toBeLessThan(36 * 60)
    expect(full.reps).toBeGreaterThanOrEqual(5)
    const { growth, reps } = readFlags(['--growth']).settings
    expect(estimateGrowth(growth) * reps * 2).toBeLessThan(8 * 60)
  })

  it('memory of transports after the first is measured as often as is said', () => {
    const cases = plan({ transports: ['obfs4', 'obfs3'], metrics: ['memory'], settings: full })
    const count = (transport: string): number =>
      cases.filter((one) => one.transport === transport && one.candidate === OURS).length
    expect([count('obfs4'), count('obfs3')]).toEqual([full.memoryReps, full.otherMemoryReps])
  })

  it('webtunnel has a run of its own, of two candidates, that takes less than four minutes', () => {
    const cases = plan({ transports: readFlags([]).transports, metrics: ['webtunnel'], settings: full })
    expect(new Set(cases.map(({ transport, pinned }) => `${transport} ${pinned}`))).toEqual(new Set(['webtunnel true']))
    expect(new Set(cases.map(({ candidate }) => candidate))).toEqual(new Set([WEBTUNNEL_PEER, OURS]))
    expect(estimate(cases, full)).toBeLessThan(4 * 60)
    expect(readFlags([]).metrics).not.toContain('webtunnel')
  })

  it('a candidate that is added is measured wherever ours is', () => {
    const cases = plan({ transports: ['obfs4', 'obfs2'], metrics: ['bulk'], extra: ['other'], settings })
    const of = (name: string): string[] =>
      cases
        .filter(({ candidate }) => candidate === name)
        .map(({ rep, transport, pinned }) => `${rep}${transport}${pinned}`)
    expect(of('other')).toEqual(of(OURS))
  })
})

describe('the command line', () => {
  it('measures everything and writes bench/RESULTS.md where nothing is chosen', () => {
    const flags = readFlags([])
    expect(flags).toMatchObject({ transports: ['obfs4', 'obfs3', 'obfs2'], out: 'bench/RESULTS.md', settings: full })
    expect(readFlags(['--growth'])).toMatchObject({ out: 'bench/GROWTH.md', command: 'npm run bench -- --growth' })
  })

  it('keeps a choice out of the published results', () => {
    const flags = readFlags(['--transport', 'obfs2,obfs4', '--metric', 'ping', '--metric', 'bulk', '--reps', '7'])
    expect(flags).toMatchObject({ transports: ['obfs4', 'obfs2'], metrics: ['bulk', 'ping'], out: undefined })
    expect(flags.settings).toMatchObject({ reps: 7, sideReps: 7, memoryReps: 7, otherMemoryReps: 7 })
  })

  it.each([
    [['--transport', 'obfs5'], /--transport obfs5: expected one of obfs4/],
    [['--metric', 'speed'], /--metric speed: expected one of transfer/],
    [['--reps', '0'], /--reps 0: expected a number/],
    [['--growth', '--metric', 'bulk'], /takes no --metric/],
    [['--growth', '--transport', 'obfs2', '--transport', 'obfs3'], /one --transport/],
    [['--fast'], /--fast/],
  ])('%j is refused', (argv, message) => {
    expect(() => readFlags(argv)).toThrow(message)
  })

  it('adds candidates by name and command', () => {
    const command = ['/opt/pt', '--flag']
    expect(readCandidate('new=/opt/pt  --flag')).toEqual({ name: 'new', client: command, server: command })
    expect(() => readCandidate('/opt/pt')).toThrow(/expected NAME=COMMAND/)
  })
})

describe('the machine', () => {
  const machine = (user: number, idle: number): string => `cpu  ${user} 0 10 ${idle} 5 0 0 2 0 0\ncpu0 1 2 3\n`
  const self = (utime: number, childTime: number): string =>
    `42 (a ) b) S 1 1 1 0 -1 0 0 0 0 0 ${utime} 5 ${childTime} 0 20 0 11 0`

  it('CPU times are those of /proc/stat, and of this process with the children that have ended', () => {
    expect(readCpuTimes(machine(100, 800), self(20, 30))).toEqual({ all: 917, busy: 112, own: 55 })
  })

  it('others used what is busy and not ours', () => {
    const before = readCpuTimes(machine(100, 800), self(20, 30))
    const after = readCpuTimes(machine(160, 840), self(40, 60))
    expect(shareOfOthers(before, after)).toBeCloseTo(0.1)
    expect(shareOfOthers(before, before)).toBe(0)
  })

  it.each([
    [20_000, 9_950],
    [1_024, 462],
    [50, 0],
    [Infinity, Infinity],
  ])('with %d files a PT holds %d connections', (limit, connections) => {
    expect(mostConnections(limit)).toBe(connections)
  })

  it('a case that fails is kept as a failure with what it had, and the others go on', async () => {
    const said: string[] = []
    const measure = async (one: object, add: (...results: object[]) => void): Promise<void> => {
      add({ figure: 1, ...one })
      if ('bad' in one) throw new Error('no')
    }
    const nameOf = (one: object): string => ('bad' in one ? 'the bad one' : 'a good one')
    const done = await runCases([{}, { bad: true }, {}], nameOf, measure, (line: string) => said.push(line))
    expect(done.results).toEqual([{ figure: 1 }, { figure: 1, bad: true }, { figure: 1 }])
    expect(done.failures).toEqual([{ case: 'the bad one', error: 'no' }])
    expect(said.some((line) => line.includes('failed: no'))).toBe(true)
  })
})
