/** What is made of the samples: plan, statistics, goals, tables and the chart, on literal numbers. */
import { describe, expect, it } from 'vitest'
import { CEILING, FLOOR, OUR_CLIENT, OURS, PEER, readCandidate } from '../../bench/candidates.mjs'
import { drawChart, gains } from '../../bench/chart.mjs'
import { readFlags } from '../../bench/flags.mjs'
import { judge } from '../../bench/goals.mjs'
import { formatGrowth } from '../../bench/growth.mjs'
import { readCpuTimes, shareOfOthers } from '../../bench/noise.mjs'
import { plan } from '../../bench/plan.mjs'
import { formatReport, table } from '../../bench/report.mjs'
import { runCases } from '../../bench/run.mjs'
import { full, mostConnections, quick } from '../../bench/settings.mjs'
import type { Sample } from '../../bench/statistics.mjs'
import { compare, formatNumber, formatRatio, median, summarize } from '../../bench/statistics.mjs'

const mbps = { transport: 'obfs4', pinned: true, metric: 'bulk', name: 'up, 1 stream', unit: 'MB/s', better: 'more' }
const startMs = { ...mbps, metric: 'start', name: 'start to METHODS DONE, client', unit: 'ms', better: 'less' }

function samples(like: object, values: Readonly<Record<string, readonly number[]>>): Sample[] {
  return Object.entries(values).flatMap(([candidate, list]) =>
    list.map((value, rep) => ({ ...(like as typeof mbps), better: (like as Sample).better, candidate, rep, value })),
  )
}

const some: Sample[] = [
  ...samples(mbps, { [PEER]: [300, 310, 200], [OURS]: [480, 620, 500], [FLOOR]: [1_200] }),
  ...samples(startMs, { [PEER]: [2, 2, 2], [OURS]: [40, 36, 44] }),
]

const run = {
  machine: { machine: '2 × Some CPU', node: 'v20.19.0', date: '2026-01-02' },
  quick: true,
  reps: 3,
  windowSeconds: 1,
  seconds: 130,
  others: 0.004,
  noisy: [],
  failures: [],
  notes: [],
  samples: some,
}

describe('statistics', () => {
  it.each([
    [[3], 3],
    [[9, 1, 5], 5],
    [[4, 1, 3, 2], 2.5],
    [[], NaN],
  ])('the median of %j is %d', (values, expected) => {
    expect(median(values)).toBe(expected)
  })

  it('a summary is the median and the extremes', () => {
    expect(summarize([5, 1, 9])).toEqual({ median: 5, min: 1, max: 9, count: 3 })
    expect(summarize([])).toBeUndefined()
  })

  it('a ratio is that of the medians, and its spread that of each repetition', () => {
    const [ours, peers] = [samples(mbps, { [OURS]: [10, 30, 20] }), samples(mbps, { [PEER]: [10, 10, 5] })]
    expect(compare(ours, peers)).toEqual({ ratio: 2, min: 1, max: 4 })
    expect(compare(ours, [])).toBeUndefined()
    expect(compare([], peers)).toBeUndefined()
  })

  it.each([
    [0, '0'],
    [0.01234, '0.012'],
    [1.234, '1.23'],
    [56.78, '56.8'],
    [987.6, '988'],
    [12_345.6, '12,346'],
    [NaN, '–'],
    [Infinity, '–'],
  ])('%d is written %s', (value, text) => {
    expect(formatNumber(value)).toBe(text)
  })

  it('ratios have two digits, and three below a tenth', () => {
    expect([formatRatio(1.555), formatRatio(0.5), formatRatio(0.0812)]).toEqual(['1.55', '0.50', '0.081'])
  })
})

describe('goals', () => {
  it('are judged by their worst figure, with absolute ones as they are', () => {
    const found = judge(some)
    expect(found.map(({ name, measured, verdict }) => [name, formatRatio(measured), verdict])).toEqual([
      ['obfs4 bulk, 1 stream', '1.67', 'must'],
      ['start to METHODS DONE, ms', '40.00', 'must'],
    ])
  })

  it.each([
    [600, 'aim'],
    [540, 'aim'],
    [539, 'must'],
    [450, 'must'],
    [449, 'missed'],
  ])('%d MB/s beside 300: %s', (value, verdict) => {
    expect(judge(samples(mbps, { [PEER]: [300], [OURS]: [value] }))[0]?.verdict).toBe(verdict)
  })

  it('the worse of two figures counts where less is better too', () => {
    const cpu = (name: string, value: number): Sample[] =>
      samples({ ...mbps, name: `${name}: CPU, both`, better: 'less' }, { [PEER]: [10], [OURS]: [value] })
    const [goal] = judge([...cpu('up, 1 stream', 4), ...cpu('down, 64 streams', 7)])
    expect(goal).toMatchObject({ measured: 0.7, figure: 'down, 64 streams: CPU, both', verdict: 'missed' })
  })

  it('mixed ends are compared with obfs4proxy alone', () => {
    const [goal] = judge(samples(mbps, { [PEER]: [300], [OUR_CLIENT]: [330] }))
    expect(goal).toMatchObject({ candidate: OUR_CLIENT, measured: 1.1, verdict: 'aim' })
  })
})

describe('the report', () => {
  it('has a column for each candidate, in the same order whatever came first', () => {
    const turned = samples(mbps, { other: [1], [CEILING]: [3_000], [FLOOR]: [1_200], [OURS]: [500], [PEER]: [300] })
    const text = formatReport({ ...run, samples: turned }, undefined)
    expect(text).toContain(`| ${PEER} | ${OURS} | ratio | ${FLOOR} | ${CEILING} | other |`)
  })

  it('has the machine, the goals and a row for each figure', () => {
    const text = formatReport(run, 'RESULTS.svg')
    expect(text).toContain('- machine: 2 × Some CPU')
    expect(text).toContain('- CPU used by others: 0.4 %')
    expect(text).toContain('![Ratios to obfs4proxy](RESULTS.svg)')
    expect(text).toContain('| obfs4 bulk, 1 stream | ≥ 1.5 | ≥ 1.8 | 1.67 | up, 1 stream | ✓ |')
    expect(text).toContain('| up, 1 stream | MB/s ↑ | 300 [200–310] | **500** [480–620] | 1.67 × | 1,200 (4.00 ×) |')
    expect(text).toContain('| start to METHODS DONE, client | ms ↓ | **2** [2–2] | 40 [36–44] | 20.00 × |  |')
    expect(text).not.toContain('Warning')
  })

  it('warns of a machine that was not quiet, and names what failed', () => {
    const text = formatReport(
      {
        ...run,
        noisy: [{ case: 'obfs4 bulk: postern (repetition 2)', others: 0.25 }],
        failures: [{ case: 'obfs3 ping: postern', error: 'two\nlines' }],
        notes: ['fewer connections'],
      },
      undefined,
    )
    expect(text).toContain('**Warning: this machine was not quiet.**')
    expect(text).toContain('- obfs4 bulk: postern (repetition 2): 25.0 %')
    expect(text).toContain('- obfs3 ping: postern: two lines')
    expect(text).toContain('- fewer connections')
    expect(text).not.toContain('![')
  })

  it('tables are Markdown', () => {
    expect(table(['a', 'b'], 'lr', [['x', '1']])).toBe('| a | b |\n| --- | --: |\n| x | 1 |')
  })

  it('growth has a table for each candidate, a row for each number and medians of all repetitions', () => {
    const values = { memory: 1, per1000: 2, loaded: 3, p50: 4, p99: 5, setupCpu: 6, restCpu: 7, throughput: 8 }
    const sample = (connections: number, jain: number): object => ({
      candidate: OURS,
      connections,
      values: { ...values, bulkCpu: 9, perStream: 10, slowest: 0.5, jain },
    })
    const list = [sample(1_000, 0.8), sample(1, 1), sample(1_000, 0.9), sample(1_000, 0.7)]
    const text = formatGrowth({ ...run, transport: 'obfs4', samples: list as never })
    expect(text).toContain(`## ${OURS}`)
    expect(text.split('\n').filter((line) => line.startsWith('| 1'))).toEqual([
      '| 1 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 0.5 | 1 |',
      '| 1,000 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 0.5 | 0.8 |',
    ])
  })
})

describe('the chart', () => {
  it('shows how many times better, whichever way is better', () => {
    const [section] = gains(some)
    expect(section?.title).toBe('obfs4, each end on a core of its own')
    expect(
      section?.rows.map(({ name, gain, low, high }) => [name, gain.toFixed(3), low.toFixed(3), high.toFixed(3)]),
    ).toEqual([
      ['up, 1 stream', '1.667', '1.600', '2.500'],
      ['start to METHODS DONE, client', '0.050', '0.045', '0.056'],
    ])
  })

  it('is well-formed, with a bar and a value for each figure', () => {
    const svg = drawChart(gains(some), ['Some <CPU> & more'])
    expect(svg.startsWith('<svg xmlns="http://www.w3.org/2000/svg"')).toBe(true)
    expect(svg).toContain('Some &lt;CPU> &amp; more')
    expect(svg).toContain('>1.67 ×</text>')
    expect(svg).toContain('>0.05 ×</text>')
    expect(svg.match(/fill-opacity/g)).toHaveLength(2)
    expect(svg).not.toMatch(/NaN|Infinity|undefined/)
    const opened = [...svg.matchAll(/<(\w+)[^>]*?(\/?)>/g)].filter(([, , closed]) => closed === '').length
    expect(opened).toBe(svg.match(/<\/\w+>/g)?.length)
  })

  it('draws what lies off the scale at its edge', () => {
    const svg = drawChart([{ title: 't', rows: [{ name: 'n', gain: 1_000, low: 0.0001, high: 1_000 }] }], [])
    expect(svg).toContain('>1000.0 ×</text>')
    for (const [, x] of svg.matchAll(/x2="([\d.]+)"/g)) expect(Number(x)).toBeLessThanOrEqual(900)
  })
})

describe('the plan', () => {
  const settings = { ...quick, reps: 2, sideReps: 1, memoryReps: 1 }

  it('lets candidates take turns within a metric, another one first each time', () => {
    const cases = plan({ transports: ['obfs3'], metrics: ['bulk'], settings: { ...settings, sideReps: 0 } })
    expect(cases.map(({ rep, candidate }) => [rep, candidate])).toEqual([
      [0, PEER],
      [0, OURS],
      [1, OURS],
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
    expect(readFlags(['--growth']).out).toBe('bench/GROWTH.md')
  })

  it('keeps a choice out of the published results', () => {
    const flags = readFlags(['--transport', 'obfs2,obfs4', '--metric', 'ping', '--metric', 'bulk', '--reps', '7'])
    expect(flags).toMatchObject({ transports: ['obfs4', 'obfs2'], metrics: ['bulk', 'ping'], out: undefined })
    expect(flags.settings).toMatchObject({ reps: 7, sideReps: 7, memoryReps: 7 })
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
