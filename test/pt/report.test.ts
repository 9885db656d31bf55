import { describe, expect, test } from 'vitest'
import { rateLimit } from '../../src/pt/rate-limit.ts'
import { recorder } from './support.ts'
import { shows } from '../shows.ts'

describe('LOG', () => {
  test('LOG-1: lines at or above the level are said, quoted and escaped', () => {
    const { reporter, lines } = recorder()
    for (const severity of ['error', 'warning', 'notice', 'info', 'debug'] as const) reporter.log(severity, 'a "b"\n')
    expect(lines).toEqual([
      'LOG SEVERITY=error MESSAGE="a \\"b\\"\\n"',
      'LOG SEVERITY=warning MESSAGE="a \\"b\\"\\n"',
      'LOG SEVERITY=notice MESSAGE="a \\"b\\"\\n"',
    ])
    shows('LOG-1')
  })

  test('ANON-1, ANON-4: addresses are scrubbed, unless they were asked for', () => {
    const safe = recorder()
    const unsafe = recorder({ unsafeLogging: true })
    for (const { reporter } of [safe, unsafe]) reporter.log('notice', 'from 203.0.113.4:5')
    expect(safe.lines).toEqual(['LOG SEVERITY=notice MESSAGE="from [scrubbed]"'])
    expect(unsafe.lines).toEqual(['LOG SEVERITY=notice MESSAGE="from 203.0.113.4:5"'])
  })

  test('ANON-4: secrets are taken out even where addresses are shown', () => {
    const { reporter, lines } = recorder({ unsafeLogging: true })
    const report = reporter.forTransport('obfs4', () => ['banana'])
    report.log('notice', 'bad key banana')
    report.status({ ERRSTR: 'bad key banana' })
    expect(lines).toEqual([
      'LOG SEVERITY=notice MESSAGE="obfs4: bad key [scrubbed]"',
      'STATUS TRANSPORT=obfs4 ERRSTR="bad key [scrubbed]"',
    ])
  })

  test('ANON-1, ANON-4: no part of an address or a secret is left where a long text is cut', () => {
    const secret = 'c2VjcmV0'.repeat(4)
    for (const word of ['203.0.113.123:40443', '[2001:db8:1:2:3:4:5:6]:40443', 'bridge.example.com:40443', secret]) {
      for (let at = 2_001 - word.length; at < 2_000; at++) {
        const { reporter, lines } = recorder()
        reporter.forTransport('x', () => [secret]).log('error', `${'- '.repeat(1_000).slice(0, at - 4)} ${word} behind`)
        const rest = lines[0]!.slice('LOG SEVERITY=error MESSAGE="x: '.length).replaceAll(/\[scrubbed\]?| behind/g, '')
        expect(rest).toMatch(/^[- ]+(?:\.\.\.)?"$/)
      }
    }
  })

  test('a text of any length becomes a line of bounded length', () => {
    const { reporter, lines } = recorder()
    reporter.log('error', 'x'.repeat(1e6))
    expect(lines[0]!.length).toBeLessThan(2_100)
  })
})

test('what cannot be said is said to be missing, and whoever reports it does not hear of it', () => {
  const { reporter, lines } = recorder()
  const report = reporter.forTransport('obfs4', () => {
    throw new Error('no secrets today')
  })
  report.log('notice', 'text')
  report.status({ CONNECT: 'Success' })
  reporter.log('notice', 'text')
  const missing = 'LOG SEVERITY=error MESSAGE="a LOG or STATUS line is missing: it could not be written"'
  expect(lines).toEqual([missing, missing, 'LOG SEVERITY=notice MESSAGE="text"'])
})

describe('STATUS', () => {
  test('STATUS-1, ANON-4: TRANSPORT comes first, and addresses are scrubbed', () => {
    const { reporter, lines } = recorder()
    reporter.forTransport('obfs4').status({ ADDRESS: '198.51.100.123:1234', CONNECT: 'Success' })
    expect(lines).toEqual(['STATUS TRANSPORT=obfs4 ADDRESS=[scrubbed] CONNECT=Success'])
  })

  test('STATUS-1: a status without pairs is not said', () => {
    const { reporter, lines } = recorder()
    reporter.forTransport('obfs4').status({})
    expect(lines).toEqual([])
  })

  test('what a transport in JavaScript gets wrong stays its own affair', () => {
    const { reporter, lines } = recorder()
    const report = reporter.forTransport('trebuchet')
    report.status({ PERCENT: 42 as never })
    report.status({ 'no key': 'x' })
    report.log('loud' as never, 'x')
    expect(lines).toEqual([
      'STATUS TRANSPORT=trebuchet PERCENT=42',
      'LOG SEVERITY=warning MESSAGE="trebuchet: a STATUS cannot be said: \\"no key\\" cannot be a key"',
      'LOG SEVERITY=notice MESSAGE="trebuchet: x"',
    ])
  })
})

test('a storm of lines is bounded, and the rest is counted in one line', async () => {
  const { reporter, lines } = recorder()
  const report = reporter.forTransport('obfs4')
  for (let i = 0; i < 1_000; i++) report.status({ CONNECT: 'Failed' })
  expect(lines.length).toBe(50)
  await expect.poll(() => lines.length).toBeGreaterThan(50)
  expect(lines.at(-1)).toBe('LOG SEVERITY=warning MESSAGE="950 more LOG and STATUS lines suppressed within a second"')
  report.status({ CONNECT: 'Success' })
  expect(lines.at(-1)).toBe('STATUS TRANSPORT=obfs4 CONNECT=Success')
})

test('last words are said in the middle of a storm', () => {
  const { reporter, lines } = recorder()
  for (let i = 0; i < 100; i++) reporter.log('error', 'x')
  reporter.lastWords('internal error at 203.0.113.4')
  expect(lines.at(-1)).toBe('LOG SEVERITY=error MESSAGE="internal error at [scrubbed]"')
})

test('a rate limit that held nothing back has nothing to say', async () => {
  const suppressed: number[] = []
  const mayPass = rateLimit(2, (count) => suppressed.push(count))
  expect([mayPass(), mayPass(), mayPass()]).toEqual([true, true, false])
  await expect.poll(() => suppressed.length).toBeGreaterThan(0)
  expect(mayPass()).toBe(true)
  expect(suppressed).toEqual([1])
})
