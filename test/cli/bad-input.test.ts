import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { tempDir } from '../support.ts'
import { run as bridge } from '../../src/cli/bridge.ts'
import { run as client } from '../../src/cli/client.ts'
import { run as completion } from '../../src/cli/completion.ts'
import { run } from '../../src/cli/run.ts'
import { run as server } from '../../src/cli/server.ts'
import { parseConfig } from '../../src/cli/tunnels/config-file.ts'
import { formatProfile, profiles } from '../../src/tls/index.ts'
import { UsageError } from '../../src/cli/usage.ts'
import { postern } from './postern.ts'

const cert = 'A'.repeat(70)
const good = `obfs4 127.0.0.1:9 cert=${cert} iat-mode=0`

const folder = mkdtempSync(join(tmpdir(), 'postern-test-'))
const proxyFile = join(folder, 'proxy')
writeFileSync(proxyFile, 'socks5://127.0.0.1:1\n', { mode: 0o600 })
afterAll(() => rmSync(folder, { recursive: true }))

function fileOf(name: string, text: string): string {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

const profile = fileOf('profile.json', formatProfile(profiles.firefox))
const hostile = fileOf('hostile.json', '['.repeat(70_000))
const foreign = fileOf('foreign.json', formatProfile({ ...profiles.firefox, suites: ['1301', '13ff', '1302'] }))

const commands = { client, server, run, bridge, completion } as const

/** What a command that cannot be run is rejected with, before anything is started. */
async function mistakeOf([command = '', ...argv]: readonly string[]): Promise<string> {
  const error: unknown = await commands[command as keyof typeof commands](argv).then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(UsageError)
  return (error as Error).message
}

describe('one error that names what is wrong and where, status 2, nothing started and nothing left', () => {
  test.each<[string[], string]>([
    [['client'], 'client: there is no bridge line'],
    [['client', 'obfs4'], 'LINE 1: bridge line: there is no address after obfs4'],
    [['client', 'obfs4', '127.0.0.1:9', `cert=${cert}`], 'a bridge line has spaces: put quotation marks around each'],
    [['client', good, 'obfs4 127.0.0.1:9 iat-mode=0'], 'LINE 2: bridge line: cert: it is missing'],
    [['client', '127.0.0.1:9 x'], 'LINE 1: bridge line: there is no transport before the address'],
    [['client', 'unheard 127.0.0.1:9'], 'LINE 1: there is no built-in transport unheard'],
    [['client', '--listen', 'localhost:1', good], '--listen: malformed address'],
    [
      ['client', '--listen', '0.0.0.0:9000', good],
      '--listen: the port would be open to other machines; listen on 127.0.0.1 or [::1], or allow it with --expose',
    ],
    [['client', '--exec', '/nonexistent/pt', good], '--exec: there is no such program'],
    [['client', '--exec', 'nonexistent-pt', good], '--exec: there is no such program in PATH'],
    [['client', '--proxy', 'ftp://127.0.0.1:1', good], '--proxy: '],
    [['client', '--secret-file', '/nonexistent', good], '--secret-file: there is no such file'],
    [['client', '--connect-timeout', '0', good], '--connect-timeout: expected a whole number from 1 to 600'],
    [['client', '--drain-timeout', 'x', good], '--drain-timeout: expected a whole number'],
    [['client', '--max-connections', '0', good], '--max-connections: expected a whole number'],
    [['client', '--metrics', '0.0.0.0:9', good], '--metrics: it is not an address of this machine alone'],
    [['client', '--frobnicate', good], "Unknown option '--frobnicate'"],
    [['server'], 'server: there is no transport'],
    [['server', 'obfs4'], 'server: --listen is missing'],
    [['server', 'obfs4', '--listen', '127.0.0.1:0'], 'server: --forward is missing'],
    [['server', '4x', '--listen', '127.0.0.1:0', '--forward', '127.0.0.1:1'], 'TRANSPORT: it is not the name'],
    [['server', 'unheard', '--listen', '127.0.0.1:0', '--forward', '127.0.0.1:1'], 'TRANSPORT: there is no built-in'],
    [['server', 'obfs4', '--listen', 'x', '--forward', '127.0.0.1:1'], '--listen: malformed address'],
    [['server', 'obfs4', '--listen', '127.0.0.1:0', '--forward', '127.0.0.1'], '--forward: malformed address'],
    [['server', 'obfs4', '--listen', '127.0.0.1:0', '--forward', 'socks'], '--allow: a SOCKS server needs'],
    [['server', 'obfs4', '--listen', '127.0.0.1:0', '--forward', 'socks', '--allow', 'x'], '--allow: rule 1'],
    [['server', 'obfs4', '--listen', '127.0.0.1:0', '--forward', 'a:1', '--allow', '*:1'], '--allow: it is for'],
    [
      ['server', 'obfs4', '--listen', '127.0.0.1:0', '--forward', 'a:1', '--option', 'x'],
      '--option 1: expected KEY=VALUE',
    ],
    [['server', 'obfs4', '--listen', '127.0.0.1:0', '--forward', 'a:1', '--public-address', '?'], '--public-address: '],
    [['server', 'obfs4', 'surplus', '--listen', '127.0.0.1:0', '--forward', 'a:1'], 'Unexpected argument "surplus"'],
    [['client', '--half-open', '--exec', '/bin/sh', good], '--half-open: it is for the built-in transports'],
    [
      ['server', 'obfs4', '--half-open', '--exec', '/bin/sh', '--listen', '127.0.0.1:0', '--forward', 'a:1'],
      '--half-open: it is for the built-in transports',
    ],
    [['client', '--state-dir', '', good], '--state-dir: it is empty'],
    [['client', '--proxy', 'socks5://127.0.0.1', good], '--proxy: the proxy is not <ip>:<port>'],
    [['client', ''], 'LINE 1: bridge line: it is empty'],
    [['client', 'obfs4 <IP ADDRESS>:443 cert=x'], 'LINE 1: bridge line: a placeholder stands in place of'],
    [
      ['server', 'obfs4', '--listen', '127.0.0.1:0', '--forward', 'a:1', '--public-address', 'host:0'],
      '--public-address: the port is 0',
    ],
    [['server', 'obfs4', '--listen', '127.0.0.1:0', '--forward', 'a:1', '--state-dir', ''], '--state-dir: it is empty'],
    [
      ['server', 'obfs4', '--listen', '127.0.0.1:0', '--forward', 'a:1', '--option', 'iat-mode=9'],
      '--option: iat-mode: it is none of 0, 1 and 2',
    ],
    [
      ['server', 'obfs4', '--listen', '127.0.0.1:0', '--forward', 'a:1', '--option', 'iat_mode=1'],
      '--option: iat_mode: obfs4 has no argument of this name; is iat-mode meant?',
    ],
    [
      ['server', 'scramblesuit', '--listen', '127.0.0.1:0', '--forward', 'a:1', '--option', 'password=short'],
      '--option: password: it has 5 characters instead of 32',
    ],
    [['client', '--file', '/nonexistent'], '--file: there is no such file'],
    [['client', '--file', '/dev/zero'], '--file: it is longer than 1 MiB'],
    [['client', '--file', '/dev/null'], 'client: there is no bridge line'],
    [['client', '--proxy-file', '/nonexistent', good], '--proxy-file: there is no such file'],
    [['client', '--proxy-file', '/dev/null', good], '--proxy-file: expected <protocol>://'],
    [
      ['client', '--proxy-file', proxyFile, '--proxy', 'http://127.0.0.1:1', good],
      '--proxy-file: one of --proxy and --proxy-file is enough',
    ],
    [
      ['client', good.replace('obfs4', 'ofbs4')],
      'LINE 1: bridge line: transport: no such transport is known; is obfs4 meant?',
    ],
    [
      ['client', '127.0.0.1:9 x', 'unheard 127.0.0.1:9'],
      'LINE 1: bridge line: there is no transport before the address',
    ],
    [
      ['server', 'obfs4', '--listen', '127.0.0.1:0', '--forward', 'a:1', '--option-file', '/nonexistent'],
      '--option-file: there is no such file',
    ],
    [['bridge', 'test', '--proxy-file', '/nonexistent', good], '--proxy-file: there is no such file'],
    [['client', '--profile', '/nonexistent', good], '--profile: there is no such file'],
    [['client', '--profile', '/dev/zero', good], '--profile: it is no ordinary file'],
    [['client', '--profile', '/', good], '--profile: it is a folder, not a file'],
    [['client', '--profile', proxyFile, good], '--profile: the profile cannot be used: it is no JSON'],
    [['client', '--profile', hostile, good], '--profile: the profile cannot be used: it is longer than 65536 bytes'],
    [['client', '--profile', foreign, good], '--profile: the profile cannot be used: suites[1] is 13ff'],
    [['client', '--profile', profile, '--exec', '/bin/sh', good], '--profile: it is for the built-in transports'],
    [['bridge', 'test', '--profile', proxyFile, good], '--profile: the profile cannot be used: it is no JSON'],
    [['bridge', 'test', '--profile', profile, '--exec', '/bin/sh', good], '--profile: it is for the built-in'],
    [['bridge', 'check', '--profile', profile, good], '--profile is for bridge test only'],
    [['bridge', 'check', '--proxy-file', 'x', good], '--proxy-file is for bridge test only'],
    [['bridge', 'chekc', good], 'bridge: there is no chekc; is check meant?'],
    [['run', ''], 'run: there is no file'],
    [['bridge'], 'bridge: expected check or test'],
    [['bridge', 'frobnicate', good], 'bridge: there is no frobnicate'],
    [['bridge', 'check'], 'bridge check: there is no bridge line'],
    [['bridge', 'check', '--file', '/nonexistent'], '--file: there is no such file'],
    [['bridge', 'check', '--jobs', '3', good], '--jobs is for bridge test only'],
    [['bridge', 'test', '--jobs', '0', good], '--jobs: expected a whole number'],
    [['bridge', 'test', '--timeout', 'x', good], '--timeout: expected a whole number'],
    [['bridge', 'test', '--proxy', 'x', good], '--proxy: '],
    [['run'], 'run: there is no file'],
    [['run', '/nonexistent.toml'], '/nonexistent.toml: there is no such file'],
    [['completion', 'tcsh'], 'completion: expected one of bash, zsh, fish'],
  ])('postern %j', async (args, message) => {
    expect(await mistakeOf(args)).toContain(message)
  })

  test.each<[string[], string]>([
    [['client', 'obfs4'], 'LINE 1: bridge line: there is no address after obfs4'],
    [['server', 'obfs4', '--listen', 'x', '--forward', '127.0.0.1:1'], '--listen: malformed address'],
    [['run', '/nonexistent.toml'], '/nonexistent.toml: there is no such file'],
    [['bridge', 'frobnicate'], 'bridge: there is no frobnicate'],
    [['completion', 'tcsh'], 'completion: expected one of bash, zsh, fish'],
    [['client', '--max-connections', '-1', good], "Option '--max-connections' argument is ambiguous"],
  ])('postern %j as a process: two lines on stderr, and not a file', (args, message) => {
    const home = tempDir()
    const { status, stdout, stderr } = postern(args, { XDG_STATE_HOME: home, HOME: home })
    expect([status, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/^postern: [^\n]+\nTry: postern [a-z]+ --help\n$/)
    expect(stderr).toContain(`Try: postern ${args[0]} --help`)
    expect(stderr).toContain(message)
    expect(readdirSync(home)).toEqual([])
  })
})

describe('each key of the file: the error names line and key', () => {
  const client = `[client.web]\nlisten = "127.0.0.1:0"\nbridges = ["${good}"]\n`
  const server = '[server.ssh]\ntransport = "obfs4"\nlisten = "127.0.0.1:0"\nforward = "127.0.0.1:22"\n'

  test.each<[string, string]>([
    ['', 't.toml: there is no tunnel in it'],
    ['x = [', 't.toml:1: this is not TOML'],
    ['\n\nmetrics = 5\n', 't.toml:3: metrics: expected a string'],
    ['metrics = "10.0.0.1:1"', 't.toml:1: metrics: it is not an address of this machine alone'],
    ['frobnicate = 1', 't.toml:1: frobnicate: there is no such key'],
    ['[client]\nweb = 1', 't.toml:2: client.web: expected a table'],
    [`[client."a b"]\n${client.slice(13)}`, 't.toml:1: client.a b: the name of a tunnel is'],
    ['[[client]]\nlisten = "127.0.0.1:0"', 't.toml:1: client: each tunnel is a table of its name, as in [client.web]'],
    ['\n[[server]]\nlisten = "x"', 't.toml:2: server: each tunnel is a table of its name, as in [client.web]'],
    ['[client.web]\nbridges = []', 't.toml:1: client.web.listen: it is missing'],
    ['[client.web]\nlisten = "127.0.0.1:0"', 't.toml:1: client.web.bridges: it is missing'],
    ['[client.web]\nlisten = "127.0.0.1:0"\nbridges = []', 't.toml:3: client.web.bridges: there is no bridge line'],
    ['[client.web]\nlisten = "127.0.0.1:0"\nbridges = ["x"]', 't.toml:3: client.web.bridges.1: bridge line: '],
    [client.replace('127.0.0.1:0', 'here'), 't.toml:2: client.web.listen: malformed address'],
    [client.replace('127.0.0.1:0', '0.0.0.0:0'), 't.toml:2: client.web.listen: the port would be open'],
    [client.replace('obfs4', 'unheard'), 't.toml:3: client.web.bridges.1: there is no built-in transport'],
    [`${client}frobnicate = 1`, 't.toml:4: client.web.frobnicate: there is no such key'],
    [`${client}strategy = "luck"`, 't.toml:4: client.web.strategy: expected "failover" or "race"'],
    [`${client}socks = "yes"`, 't.toml:4: client.web.socks: expected a boolean'],
    [`${client}expose = 1`, 't.toml:4: client.web.expose: expected a boolean'],
    [`${client}secret-file = "nonexistent"`, 't.toml:4: client.web.secret-file: there is no such file'],
    [`${client}exec = "/nonexistent"`, 't.toml:4: client.web.exec: there is no such program'],
    [`${client}profile = "nonexistent"`, 't.toml:4: client.web.profile: there is no such file'],
    [`${client}profile = "/dev/null"`, 't.toml:4: client.web.profile: it is no ordinary file'],
    [`${client}exec = 5`, 't.toml:4: client.web.exec: expected a string, or a list of strings'],
    [`${client}proxy = "x"`, 't.toml:4: client.web.proxy: '],
    [`${client}half-open = "yes"`, 't.toml:4: client.web.half-open: expected a boolean'],
    [
      `${client}half-open = true\nexec = "/bin/sh"`,
      't.toml:4: client.web.half-open: it is for the built-in transports',
    ],
    [`${client}maxConnections = 5`, 't.toml:4: client.web.maxConnections: there is no such key'],
    [`${client}connect-timeout = "60"`, 't.toml:4: client.web.connect-timeout: expected a number'],
    [`${client}state-dir = ""`, 't.toml:4: client.web.state-dir: it is empty'],
    [`${client}max-connections = 0`, 't.toml:4: client.web.max-connections: expected a whole number from 1'],
    [`${client}connect-timeout = 0.5`, 't.toml:4: client.web.connect-timeout: expected a whole number'],
    [`${client}drain-timeout = -1`, 't.toml:4: client.web.drain-timeout: expected a whole number'],
    ['[server.ssh]\ntransport = "obfs4"', 't.toml:1: server.ssh.listen: it is missing'],
    [server.replace('obfs4', '4x'), 't.toml:2: server.ssh.transport: it is not the name of a transport'],
    [server.replace('obfs4', 'unheard'), 't.toml:2: server.ssh.transport: there is no built-in transport'],
    [server.replace('127.0.0.1:0', 'x'), 't.toml:3: server.ssh.listen: malformed address'],
    [server.replace('127.0.0.1:22', 'x'), 't.toml:4: server.ssh.forward: malformed address'],
    [server.replace('127.0.0.1:22', 'socks'), 't.toml:1: server.ssh.allow: a SOCKS server needs'],
    [`${server}allow = ["x"]`, 't.toml:5: server.ssh.allow: rule 1 of the allow-list'],
    [`${server}allow = ["*:1"]`, 't.toml:5: server.ssh.allow: it is for a forward of socks only'],
    [`${server}public-address = "?"`, 't.toml:5: server.ssh.public-address: malformed address'],
    [`${server}public-address = "host:0"`, 't.toml:5: server.ssh.public-address: the port is 0'],
    [`${server}options = { iat-mode = "9" }`, 't.toml:5: server.ssh.options: iat-mode: it is none of 0, 1 and 2'],
    [`${server}options = { a = 1 }`, 't.toml:5: server.ssh.options.a: expected a string'],
    [`${client}\n${server.replace('ssh', 'web')}`, 't.toml:5: server.web: a client has this name already'],
  ])('%j', (source, message) => {
    const dir = tempDir()
    expect(() => parseConfig(source, join(dir, 't.toml'))).toThrow(UsageError)
    expect(() => parseConfig(source, join(dir, 't.toml'))).toThrow(message)
    expect(readdirSync(dir)).toEqual([])
  })

  test('--check says that nothing is wrong, and starts nothing', () => {
    const dir = tempDir()
    const file = join(dir, 't.toml')
    writeFileSync(file, `${client}\n${server}`)
    expect(postern(['run', file, '--check'])).toMatchObject({
      status: 0,
      stdout: `${file}: 2 tunnels, nothing wrong\n`,
      stderr: '',
    })
    expect(readdirSync(dir)).toEqual(['t.toml'])
  })
})
