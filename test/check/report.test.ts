/** The reports, and the command that prints them. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Report } from 'postern/check'
import { exitStatus, formatHtml, formatJson, formatJunit, formatText } from 'postern/check'
import { beforeAll, describe, expect, test } from 'vitest'
import { peer, root, tempDir } from '../support.ts'
import { checkMutant, tinyPt } from './support.ts'

let report: Report

beforeAll(async () => {
  const only = ['CM-4', 'CM-2', 'STATUS-1', 'ARCH-3', 'TRAP-2']
  report = await checkMutant('cmethod-error', 'client', { only })
})

describe('a report', () => {
  test('as text has a line for each statement, and the breach in full', () => {
    const text = formatText(report)
    expect(text).toMatch(
      /\n {2}CM-4 +BROKEN +an unknown name causes no CMETHOD-ERROR\n +rests on +"Unknown transports in .*\n +read as +MUST: An unknown transport/,
    )
    expect(text).toMatch(/\n {2}TRAP-2 +advice /)
    expect(text).toMatch(/\n {2}STATUS-1 +not applicable .*\(it wrote no STATUS line\)\n/)
    expect(text).toMatch(/\n {2}CM-2 +kept /)
    expect(text).toMatch(
      /\n2 kept, 1 broken, 0 warnings, 1 pieces of advice, 1 not applicable, 0 could not tell; [\d.]+ s\n$/,
    )
  })

  test('as JSON is the report with its counts', () => {
    const json = JSON.parse(formatJson(report)) as Report & { errors: number; exitStatus: number }
    expect(json).toMatchObject({ subject: 'pt', errors: 1, warnings: 0, advice: 1, exitStatus: 1 })
    expect(json.results).toEqual(report.results)
  })

  test('as JUnit XML has a failure for the breach, and none for advice', () => {
    const xml = formatJunit(report)
    expect(xml).toContain('<testsuite name="client tiny" tests="5" failures="1" errors="0" skipped="1"')
    expect(xml.match(/<failure /g)).toHaveLength(1)
    expect(xml).toContain('<testcase classname="client" name="CM-4: an unknown name causes no CMETHOD-ERROR"')
    expect(xml).not.toMatch(/&(?!amp;|lt;|gt;|quot;)/)
  })

  test('as JUnit XML is well-formed whatever a PT says, by the parser of another language', (context) => {
    const [result] = report.results
    const seen = [...Array(0x200).keys(), 0xd800, 0xdc00, 0xfffe, 0xffff].map((code) => String.fromCharCode(code))
    const text = `]]> <!-- "'&amp; ${seen.join('')}`
    const broken = {
      ...result!,
      title: text,
      verdict: 'broken' as const,
      steps: [{ sent: text, expected: text, seen: text }],
    }
    const skipped = { ...result!, verdict: 'unknown' as const, why: text }
    // Python reads XML by Expat, which is strict. It counts elements.
    const program = `import sys, xml.parsers.expat as expat
parser, elements = expat.ParserCreate(), 0
def start(name, attributes):
    global elements
    elements += 1
parser.StartElementHandler = start
parser.Parse(sys.stdin.buffer.read(), True)
print(elements, end='')`
    const input = formatJunit({ ...report, title: text, results: [broken, skipped] })
    const { stdout, stderr } = spawnSync(peer('python3', context), ['-c', program], { input })
    expect([String(stdout), String(stderr)]).toEqual(['6', ''])
  })

  test('as HTML needs nothing from elsewhere, and what a PT says is text in it', () => {
    const [result] = report.results
    const evil = {
      ...result!,
      verdict: 'broken' as const,
      steps: [{ sent: '<b>', expected: '"', seen: '<script>x</script>' }],
    }
    const page = formatHtml({ ...report, results: [evil] })
    expect(page).toMatch(/^<!doctype html>/)
    expect(page).not.toMatch(/<script|https?:|url\(|src=/)
    expect(page).toContain('&lt;script&gt;x&lt;/script&gt;')
  })

  test('a broken SHOULD fails with strict only, and advice never', () => {
    const [result] = report.results
    const broken = (level: 'MUST' | 'IS' | 'SHOULD' | 'ADVICE'): Report['results'] => [
      { ...result!, level, verdict: 'broken' },
    ]
    expect([exitStatus(broken('MUST')), exitStatus(broken('IS'))]).toEqual([1, 1])
    expect([exitStatus(broken('SHOULD')), exitStatus(broken('SHOULD'), true)]).toEqual([0, 1])
    expect(exitStatus(broken('ADVICE'), true)).toBe(0)
  })
})

describe('postern check', () => {
  const postern = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(process.execPath, [`${root}dist/cli/main.js`, 'check', ...args], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'] },
    })

  test(
    'prints the table, writes the other reports, and its exit status says whether something is broken',
    { timeout: 60_000 },
    () => {
      const folder = tempDir()
      const files = ['--junit', join(folder, 'x.xml'), '--html', join(folder, 'x.html')]
      const only = ['--client', '--transport', 'tiny', '--only', 'CM-4,ARCH-3']
      const good = postern('pt', ...only, ...files, '--', ...tinyPt())
      expect([good.status, good.stderr]).toEqual([0, ''])
      expect(good.stdout).toContain('2 kept, 0 broken')
      expect(readFileSync(join(folder, 'x.xml'), 'utf8')).toContain('failures="0"')
      expect(readFileSync(join(folder, 'x.html'), 'utf8')).toContain('</html>')
      const bad = postern('pt', ...only, '--json', '--', ...tinyPt('socks4-word'))
      expect(bad.status).toBe(0)
      expect(JSON.parse(bad.stdout)).toMatchObject({ warnings: 1, exitStatus: 0 })
      expect(postern('pt', ...only, '--strict', '--', ...tinyPt('socks4-word')).status).toBe(1)
    },
  )

  test.each([
    [[], 'check: expected "check pt" or "check parent"'],
    [['pt'], 'check pt: no command; it comes after --'],
    [['pt', '--only', 'XYZ-1', '--', 'true'], '--only XYZ-1: no such requirement'],
    [['pt', '--patience', 'x', '--', 'true'], '--patience x: expected a number of seconds'],
    [['pt', '--patience', '0', '--', 'true'], '--patience 0: expected a number of seconds'],
    [['pt', '--jobs', '1.5', '--', 'true'], '--jobs 1.5: expected a whole number of probes'],
    [['pt', '--transport', 'a-b', '--', 'true'], '--transport a-b: expected a letter or _, then letters, digits and _'],
    [['pt', '--nosuch', '--', 'true'], "Unknown option '--nosuch'"],
    [['pt', '--', 'nosuch-program'], 'nosuch-program: there is no such program'],
    [['pt', '--', './test'], './test: there is no such program'],
    [['pt', '--peer', 'nosuch-program', '--', 'true'], '--peer nosuch-program: there is no such program'],
    [['pt', '--html', '/nowhere/x.html', '--', 'true'], '/nowhere/x.html: there is no folder /nowhere'],
    [['pt', '--junit', '/', '--', 'true'], '/: this is a folder'],
    [['parent', '--', 'true'], 'check parent: the command says nowhere {pt}, the PT that the parent is to launch'],
    [['parent', '--transport', 'a', '--', 'true', '{pt}'], 'check parent: --transport is for "check pt"'],
  ])('%j is a mistake that it names, with status 2', (args, message) => {
    expect(postern(...args)).toMatchObject({ status: 2, stderr: `postern: ${message}\nTry: postern check --help\n` })
  })

  test('a program that is no PT is told so in a line, with status 1', () => {
    const { status, stderr } = postern('pt', '--', 'true')
    expect(status).toBe(1)
    expect(stderr).toMatch(/^postern: the program is no client nor server of any transport .*\n$/)
  })

  test('a parent that launches no PT is told so in a line, with status 1', () => {
    const { status, stderr } = postern('parent', '--patience', '0.2', '--', 'sh', '-c', 'exec sleep 60', '{pt}')
    expect([status, stderr]).toEqual([1, 'postern: the parent launched no PT: (nothing on stdout)\n'])
  })

  test('--list names each probe, and marks those that wait out a time limit', () => {
    const { status, stdout } = postern('pt', '--list')
    expect(status).toBe(0)
    expect(stdout).toMatch(/^client {2}CM-4 +an unknown name causes no CMETHOD-ERROR$/m)
    const slow = [stdout, postern('parent', '--list').stdout].map((text) => text.match(/^.*\(slow\)$/gm))
    expect(slow).toEqual([
      ['client  TRAP-17            a client that says nothing is cut off within a minute (slow)'],
      [
        'client  TRAP-21            a silent PT is given up on within a minute (slow)',
        'server  TRAP-21            a silent PT is given up on within a minute (slow)',
      ],
    ])
  })
})
