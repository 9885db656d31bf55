import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { splitCommand, whyNotExec } from '../../src/cli/tunnels/exec.ts'
import { locateKey } from '../../src/cli/tunnels/locate-key.ts'
import { formatMetrics } from '../../src/cli/tunnels/metrics.ts'
import { statusLine } from '../../src/cli/tunnels/live-lines.ts'
import { tempDir } from '../support.ts'
import { postern } from './postern.ts'

const stats = {
  state: 'ready',
  open: 2,
  waiting: 1,
  total: 12,
  refused: 0,
  bytesUp: 1_500,
  bytesDown: 34_500_000,
  failures: { timeout: 3, 'a"b\\\n': 1 },
  restarts: 1,
  lastFailure: { at: new Date(2026, 0, 1, 12, 0, 5), stage: 'timeout', message: 'x' },
} as const

test('the live line: state, connections, bytes, restarts, the last failure and its stage', () => {
  expect(statusLine('web', stats)).toBe(
    'web  ready  2 open, 1 waiting, 12 in all  ↑ 1.5 kB ↓ 34.5 MB  1 restarts  last failure 12:00:05 timeout',
  )
  expect(statusLine('web', { ...stats, restarts: 0, lastFailure: undefined })).toMatch(/↓ 34\.5 MB$/)
})

test('Prometheus: a type for each count, labels escaped, one row per tunnel', () => {
  const page = formatMetrics([
    { name: 'web', kind: 'client', stats },
    { name: 'ssh', kind: 'server', stats: { ...stats, state: 'restarting' } },
  ])
  expect(page).toContain('# TYPE postern_failures_total counter\n')
  expect(page).toContain('postern_up{tunnel="web",role="client"} 1\npostern_up{tunnel="ssh",role="server"} 0\n')
  expect(page).toContain('postern_failures_total{tunnel="web",role="client",stage="timeout"} 3\n')
  expect(page).toContain(String.raw`stage="a\"b\\\n"} 1`)
  expect(page).toContain('postern_bytes_total{tunnel="web",role="client",direction="down"} 34500000\n')
  for (const line of page.trimEnd().split('\n'))
    expect(line).toMatch(/^(?:# (?:HELP|TYPE) postern_|postern_\w+\{.*\} \d+$)/)
})

describe('where a key stands', () => {
  const source = [
    'metrics = "x"',
    '# [client.no]',
    '[client.web]',
    'listen = "a"',
    'bridges = [',
    '  "b",',
    ']',
    'text = """',
    'listen = "not this"',
    '"""',
    '[ server . "s s" ]',
    "options.'iat-mode' = 0",
    'a.b = 1',
  ].join('\n')

  test.each<[string[], number | undefined]>([
    [['metrics'], 1],
    [['client', 'web'], 3],
    [['client', 'web', 'listen'], 4],
    [['client', 'web', 'bridges', '1'], 5],
    [['client', 'web', 'missing'], 3],
    [['client', 'no'], 3],
    [['server', 's s', 'options', 'iat-mode'], 12],
    [['server', 's s', 'a'], 13],
    [['nowhere'], undefined],
  ])('%j', (path, line) => {
    expect(locateKey(source, path)).toBe(line)
  })
})

test.each([
  ['/usr/bin/pt', ['/usr/bin/pt']],
  ['pt -enableLogging  -logLevel INFO', ['pt', '-enableLogging', '-logLevel', 'INFO']],
  [`"/opt/my pt/pt" 'a b' c`, ['/opt/my pt/pt', 'a b', 'c']],
  ['', []],
])('--exec %j', (text, command) => {
  expect(splitCommand(text)).toEqual(command)
})

test('--exec of a program whose path has spaces, and of what is none', () => {
  const dir = join(tempDir(), 'my pt')
  mkdirSync(dir)
  writeFileSync(join(dir, 'pt'), '#!/bin/sh\n', { mode: 0o755 })
  writeFileSync(join(dir, 'text'), '', { mode: 0o644 })
  expect(splitCommand(join(dir, 'pt'))).toEqual([join(dir, 'pt')])
  expect([whyNotExec([join(dir, 'pt')]), whyNotExec(['sh'])]).toEqual([undefined, undefined])
  for (const command of [[join(dir, 'text')], [dir], ['no-such-program'], []]) expect(whyNotExec(command)).toBeDefined()
})

test.each([
  ['localhost:9000', ': it takes an IP address: write 127.0.0.1:9000, or [::1]:9000 for IPv6'],
  [
    ':9000',
    ': the IP address is missing: write 127.0.0.1:9000, or [::1]:9000 for IPv6; 0.0.0.0:9000 is open to all machines',
  ],
  ['9000', ': the IP address is missing: write 127.0.0.1:9000'],
  ['*:443', ': the IP address is missing: write 127.0.0.1:443'],
  ['bridge.example:443', ': it takes an IP address and no name'],
  ['127.0.0.1', ''],
  ['127.0.0.1:70000', ': the port is above 65535'],
])('--listen %s says what to write', (listen, message) => {
  for (const args of [
    ['client', '--listen', listen, 'obfs3 127.0.0.1:1'],
    ['server', 'obfs3', '--forward=127.0.0.1:1', '--listen', listen],
  ]) {
    const { status, stderr } = postern(args)
    expect(stderr).toContain(`--listen: malformed address${message}`)
    expect(status).toBe(2)
  }
})

describe('postern completion', () => {
  test('bash: commands, options of a command, transports', () => {
    const { stdout } = postern(['completion', 'bash'])
    const complete = (words: string[]): string[] => {
      const script = `${stdout}COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')})
        COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _postern; printf '%s\\n' "\${COMPREPLY[@]}"`
      return spawnSync('bash', ['-c', script], { encoding: 'utf8' }).stdout.trim().split('\n')
    }
    expect(complete(['postern', 'cl'])).toEqual(['client'])
    expect(complete(['postern', 'client', '--so'])).toEqual(['--socks'])
    expect(complete(['postern', 'server', 'obfs'])).toEqual(['obfs2', 'obfs3', 'obfs4'])
    expect(complete(['postern', 'bridge', 'ch'])).toEqual(['check'])
  }, 60_000)

  test.each(['bash', 'zsh', 'fish'])('%s: every command and the options of client', (shell) => {
    const { status, stdout } = postern(['completion', shell])
    expect(status).toBe(0)
    for (const word of ['client', 'server', 'run', 'bridge', 'completion', 'demo', 'secret-file'])
      expect(stdout).toContain(word)
  })
})

describe('postern bridge check', () => {
  const good = `obfs4 8.8.8.8:443 cert=${'A'.repeat(70)} iat-mode=0`

  test('says what is wrong with which line, without the address, and status 1', () => {
    const { status, stdout, stderr } = postern(['bridge', 'check', good, good.replace(/ cert=\S+/, '')])
    expect({ status, stderr }).toEqual({ status: 1, stderr: '' })
    expect(stdout).toBe(
      'line 1, obfs4: nothing wrong\nline 2, obfs4:\n' +
        '  error: cert: it is missing\n' +
        '  warning: line: the same bridge as line 1\n',
    )
  })

  test('--json is the lines as values, with the address where it is asked for', () => {
    const shown = postern(['bridge', 'check', '--json', '--show-addresses', good])
    expect(JSON.parse(shown.stdout)).toMatchObject([{ line: 1, bridge: { address: '8.8.8.8:443' }, findings: [] }])
    expect(postern(['bridge', 'check', '--json', good]).stdout).not.toContain('8.8.8.8')
  })

  test('--file passes over comments and empty lines', () => {
    const file = join(tempDir(), 'bridges')
    writeFileSync(file, `# mine\n\nBridge ${good}\r\n`)
    expect(postern(['bridge', 'check', '--file', file])).toMatchObject({
      status: 0,
      stdout: 'line 1, obfs4: nothing wrong\n',
    })
  })
})
