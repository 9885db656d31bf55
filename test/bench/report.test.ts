/** What is made of the samples: statistics, goals, tables and the chart, on literal numbers. */
import { describe, expect, it } from 'vitest'
import { CEILING, FLOOR, OUR_CLIENT, OURS, PEER } from '../../bench/candidates.mjs'
import { drawChart, gains } from '../../bench/chart.mjs'
import { judge } from '../../bench/goals.mjs'
import { formatGrowth } from '../../bench/growth.mjs'
import { formatReport, table } from '../../bench/report.mjs'
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
  command: 'npm run bench -- --quick',
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
