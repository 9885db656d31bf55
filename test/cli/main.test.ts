import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { root } from '../support.ts'

const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string }

function postern(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [`${root}dist/cli/main.js`, ...args], { env: {}, encoding: 'utf8' })
}

describe('the command line, where no parent process has started it', () => {
  test('without a command it says what it is, what starts it and what to try', () => {
    const { status, stdout, stderr } = postern()
    expect(status).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toMatch(/started by tor/)
    expect(stderr).toMatch(/ClientTransportPlugin obfs4 exec .* pt\n/)
    expect(stderr).toMatch(/postern demo/)
  })

  test.each([['--help'], ['-h'], ['help'], ['pt', '--help'], ['pt', '-h']])('%s %s prints help', (...args) => {
    const { status, stdout, stderr } = postern(...args)
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^Usage: postern /)
  })

  test.each([['--version'], ['-version'], ['-V'], ['-v'], ['pt', '--version'], ['pt', '-version']])(
    '%s %s prints the version',
    (...args) => {
      expect(postern(...args)).toMatchObject({ status: 0, stdout: `postern ${version}\n`, stderr: '' })
    },
  )

  test.each([
    [['frobnicate'], 'there is no command "frobnicate"'],
    [['clinet'], 'there is no command "clinet"; is client meant?'],
    [['Check'], 'there is no command "Check"; is check meant?'],
    [['managed'], 'there is no command "managed"; in torrc, write: exec /usr/bin/postern pt'],
    [['toString'], 'there is no command "toString"'],
    [['--frobnicate'], 'there is no option "--frobnicate"'],
    [['pt', '--frobnicate'], "Unknown option '--frobnicate'"],
    [['pt', '--load'], "Option '--load <value>' argument missing"],
    [['pt', '--log-level', 'loud'], '--log-level loud: expected one of'],
  ])('%j is a mistake that it names, in two lines, with status 2', (args, message) => {
    const { status, stdout, stderr } = postern(...args)
    expect([status, stdout]).toEqual([2, ''])
    expect(stderr.split('\n').length).toBe(3)
    expect(stderr.startsWith(`postern: ${message}`)).toBe(true)
    expect(stderr).toContain(args[0] === 'pt' ? '\nTry: postern pt --help\n' : '\nTry: postern --help\n')
  })

  test('ERR-1: `postern pt` by hand is an ENV-ERROR, and a hint for humans on stderr', () => {
    expect(postern('pt')).toMatchObject({
      status: 1,
      stdout: 'ENV-ERROR TOR_PT_MANAGED_TRANSPORT_VER is not set: this program is started by a parent process\n',
      stderr:
        'postern: TOR_PT_MANAGED_TRANSPORT_VER is not set: this program is started by a parent process\n' +
        'A pluggable transport is started by tor or another parent process, which sets the TOR_PT_ variables.\n',
    })
  })
})
