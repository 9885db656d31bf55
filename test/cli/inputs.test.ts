/** What does not belong on a command line, and lists of several kinds. */
import { spawnSync } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { whyNotExec } from '../../src/cli/tunnels/exec.ts'
import { peer, root, tempDir } from '../support.ts'
import { postern, ready, start } from './postern.ts'

const cert = 'A'.repeat(70)
const good = `obfs4 127.0.0.1:9 cert=${cert} iat-mode=0`
const main = join(root, 'dist/cli/main.js')

function fileOf(text: string, name = 'file.txt'): string {
  const path = join(tempDir(), name)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

describe('postern client --file', () => {
  test.runIf(process.platform === 'linux')(
    'a bridge line and the login of a proxy are in no list of processes',
    async () => {
      const proxy = fileOf('\n  http://user:hunter2@127.0.0.1:9  \n')
      const running = start('client', '--file', fileOf(`> ${good}\n`), '--proxy-file', proxy, '--isolate')
      await ready(running, 'client')
      const pids = [running.pid, ...running.events.flatMap(({ pid }) => (typeof pid === 'number' ? [pid] : []))]
      expect(pids.length).toBe(2)
      for (const pid of pids) {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'latin1')
        expect(words).toContain('main.js')
        expect(words).not.toMatch(/cert|AAAA|hunter2|127\.0\.0\.1:9/)
      }
      expect(await running.stop()).toEqual({ status: 0, stderr: '' })
    },
  )

  test('standard input is read as -', () => {
    const wrong = good.replace(cert, cert.slice(1))
    const run = (input: string): ReturnType<typeof spawnSync> =>
      spawnSync(process.execPath, [main, 'bridge', 'check', '--file', '-'], { input, encoding: 'utf8' })
    expect(run(`['${good}']`)).toMatchObject({ status: 0 })
    expect(run(wrong)).toMatchObject({ status: 1, stdout: expect.stringContaining('cert: it has 69 characters') })
  })

  test('of several kinds what can be served is served, and of the rest is said why not', async () => {
    const list = [
      good,
      'dnstt 192.0.2.4:1 doh=https://dns.example/dns-query domain=t.example.com',
      'snowflake 192.0.2.3:80 fingerprint=x url=https://broker.example/',
      '10.0.0.9:9001 A1B2C3D4E5F60718293A4B5C6D7E8F9001122334',
      'obfs4 127.0.0.1:10 cert=abc iat-mode=0',
    ].join('\n')
    const running = start('client', '--file', fileOf(list))
    await ready(running, 'client')
    expect(await running.stop()).toEqual({ status: 0, stderr: '' })
    const passedOver = running.events.filter(({ event }) => event === 'passed-over')
    expect(passedOver.map(({ tunnel, message }) => [tunnel, String(message).replace(/ \(there are.*/, '')])).toEqual(
      [
        '--file, line 2: there is no built-in transport dnstt',
        '--file, line 3: there is no built-in transport snowflake',
        '--file, line 4: bridge line: there is no transport before the address; only Tor itself can use a plain one',
        '--file, line 5: bridge line: cert: it has 3 characters instead of 70; was all of it copied?',
      ].map((message) => ['client', message]),
    )
    expect(JSON.stringify(passedOver)).not.toMatch(/AAAA|10\.0\.0\.9|broker|example/)
  })

  test('the same with a program that lacks some of the transports', async (context) => {
    const web = 'webtunnel [2001:db8::1]:443 url=https://example.com/x'
    const running = start('client', '--exec', peer('obfs4proxy', context), good, web)
    await ready(running, 'client')
    expect(await running.next(({ event }) => event === 'passed-over')).toMatchObject({
      tunnel: 'client',
      message: 'a bridge of webtunnel: no such transport is supported',
    })
    expect(await running.stop()).toEqual({ status: 0, stderr: '' })
  })

  test('a list without anything that can be served does not start', () => {
    const { status, stdout, stderr } = postern([
      'client',
      '--file',
      fileOf('dnstt 192.0.2.4:1 doh=https://dns.example/dns-query domain=t.example.com'),
    ])
    expect([status, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/^postern: --file, line 1: there is no built-in transport dnstt /)
  })

  test('a line out of a list, with its dash, is no option', () => {
    expect(postern(['bridge', 'check', `- ${good}`])).toMatchObject({ status: 0, stderr: '' })
    expect(postern(['client', `- ${good.replace(cert, 'x')}`])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('LINE 1: bridge line: cert: it has 1 characters instead of 70'),
    })
  })
})

test('the upstream proxy of --proxy-file gets the login of the file', async () => {
  const heads: string[] = []
  const server = createServer((conn) => {
    conn.on('error', () => undefined)
    conn.once('data', (chunk) => {
      heads.push(String(chunk))
      conn.end('HTTP/1.1 502 No\r\n\r\n')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const proxy = fileOf(`http://user:hunter2@127.0.0.1:${(server.address() as AddressInfo).port}\nmore\n`)
  const running = start('client', '--proxy-file', proxy, '--file', fileOf(good))
  const { listen } = await ready(running, 'client')
  const [host, port] = listen.split(':')
  connect(Number(port), host).on('error', () => undefined)
  await running.next(({ event }) => event === 'failure')
  const { stderr } = await running.stop()
  expect(heads[0]).toContain(`Proxy-Authorization: Basic ${Buffer.from('user:hunter2').toString('base64')}\r\n`)
  expect(`${stderr}${JSON.stringify(running.events)}`).not.toContain('hunter2')
})

test('a file of secrets that every user of the machine can read is told', () => {
  const file = fileOf('socks5://user:hunter2@127.0.0.1:9')
  chmodSync(file, 0o644)
  const { status, stderr } = postern(['client', '--proxy-file', file, '--connect-timeout', '0', good])
  expect(status).toBe(2)
  if (process.platform !== 'win32') expect(stderr).toContain(`every user of this machine can read or change ${file}`)
  expect(stderr).not.toContain('hunter2')
})

describe('postern server --option-file', () => {
  const flags = ['server', 'obfs4', '--listen', '127.0.0.1:0', '--forward', '127.0.0.1:9']

  test('a server takes the secrets of its identity from a file', async () => {
    const options = { 'private-key': 'a8'.repeat(32), 'node-id': '0f'.repeat(20), 'drbg-seed': '01'.repeat(24) }
    const lines = Object.entries(options).map(([key, value]) => `${key}=${value}`)
    const file = fileOf(`# the old bridge's\n\n${lines.join('\n')}\niat-mode=1\n`)
    const state = tempDir()
    const running = start(...flags, '--state-dir', state, '--option-file', file, '--option', 'iat-mode=2')
    await running.next(({ event }) => event === 'ready')
    expect((await running.stop()).status).toBe(0)
    const kept = JSON.parse(readFileSync(join(state, 'obfs4_state.json'), 'utf8')) as Record<string, unknown>
    expect(kept).toMatchObject({ ...options, 'iat-mode': 2 })
  })

  test.each([
    ['iat_mode=1', '--option: iat_mode: obfs4 has no argument of this name; is iat-mode meant?'],
    ['# x\nnode-id', '--option-file, line 2: expected KEY=VALUE'],
    ['private-key=hunter2', '--option: node-id: it is missing'],
  ])('%j is a mistake, and no value is repeated', (text, message) => {
    const { status, stderr } = postern([...flags, '--state-dir', tempDir(), '--option-file', fileOf(text)])
    expect(status).toBe(2)
    expect(stderr).toContain(message)
    expect(stderr).not.toContain('hunter2')
  })
})

describe('postern run', () => {
  test('keys of the file name other files, relative to its folder, and kinds may be mixed', () => {
    const dir = tempDir()
    writeFileSync(
      join(dir, 'bridges.txt'),
      `Bridge ${good} # mine\ndnstt 192.0.2.4:1 doh=https://dns.example/dns-query domain=t.example.com\n`,
    )
    writeFileSync(join(dir, 'proxy.txt'), 'socks5://user:hunter2@127.0.0.1:9\n', { mode: 0o600 })
    writeFileSync(join(dir, 'options.txt'), 'iat-mode=1\n', { mode: 0o600 })
    const source = `
      [client.web]
      listen = "127.0.0.1:0"
      file = "bridges.txt"
      proxy-file = "proxy.txt"
      [server.ssh]
      transport = "obfs4"
      listen = "127.0.0.1:0"
      forward = "127.0.0.1:9"
      option-file = "options.txt"`
    const file = join(dir, 't.toml')
    const check = (text: string): ReturnType<typeof postern> => {
      writeFileSync(file, text)
      return postern(['run', '--check', file])
    }
    expect(check(source)).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(/^postern: \S+t\.toml: web: passed over: file, line 2: there is no built-in/),
    })
    expect(check(source.replace('bridges.txt', 'missing.txt')).stderr).toContain(
      't.toml:4: client.web.file: there is no such file',
    )
    expect(check(source.replace('proxy.txt', 'bridges.txt')).stderr).toContain(
      't.toml:5: client.web.proxy-file: expected <protocol>://',
    )
    expect(check(source.replace('options.txt', 'proxy.txt')).stderr).toContain(
      't.toml:10: server.ssh.option-file: line 1: expected KEY=VALUE',
    )
    expect(check(source.replace('file = "bridges.txt"', '')).stderr).toContain('client.web.bridges: it is missing')
  })

  test('the file may come from standard input', () => {
    const input = `[client.web]\nlisten = "127.0.0.1:0"\nbridges = ["${good}"]\n`
    const run = spawnSync(process.execPath, [main, 'run', '--check', '-'], { input, encoding: 'utf8' })
    expect(run).toMatchObject({ status: 0, stdout: '-: 1 tunnels, nothing wrong\n', stderr: '' })
  })
})

describe('postern bridge test', () => {
  const list = (): string =>
    fileOf(
      [
        good.replace('127.0.0.1:9', '127.0.0.1:1'),
        'dnstt 192.0.2.4:1 doh=https://dns.example/dns-query domain=t.example.com',
        '10.0.0.9:9001 A1B2C3D4E5F60718293A4B5C6D7E8F9001122334',
      ].join('\n'),
    )
  const rows = (stdout: string): string[] => stdout.split('\n').map((row) => row.replace(/ +\d+ ms +/, ' … '))

  test('a line that cannot be served hides no other', () => {
    const { status, stdout, stderr } = postern(['bridge', 'test', '--timeout', '5', '--file', list()])
    expect([status, stderr]).toEqual([1, ''])
    expect(rows(stdout)).toEqual([
      expect.stringMatching(/^line {2}transport/),
      expect.stringMatching(/^1 {5}obfs4 {6}connect … nothing accepts connections at the address of the bridge/),
      expect.stringMatching(/^2 {5}dnstt {6}argument … it cannot be tested: there is no built-in transport dnstt/),
      expect.stringMatching(/^3 {5}\? {10}argument … the bridge line is wrong: transport: a plain bridge line/),
      '',
    ])
  })

  test('nor does it with another program', (context) => {
    const exec = peer('obfs4proxy', context)
    const { status, stdout } = postern(['bridge', 'test', '--exec', exec, '--timeout', '5', '--file', list()])
    expect(status).toBe(1)
    expect(rows(stdout)[1]).toMatch(/^1 {5}obfs4 {6}connect … /)
    expect(rows(stdout)[2]).toMatch(/^2 {5}dnstt {6}argument … it cannot be tested: no such transport is supported/)
  })
})

describe('--exec on Windows', () => {
  test.each([
    ['C:\\tor\\obfs4proxy.exe', 'there is no such program, or it may not be executed'],
    ['c:/tor/obfs4proxy.exe', 'there is no such program, or it may not be executed'],
    ['.\\obfs4proxy.exe', 'there is no such program, or it may not be executed'],
    ['\\\\server\\share\\obfs4proxy.exe', 'there is no such program, or it may not be executed'],
    ['obfs4proxy-of-nobody', 'there is no such program in PATH'],
  ])('%s is looked for where it says', (program, why) => {
    expect(whyNotExec([program])).toBe(why)
    expect(whyNotExec([program], 'win32')).toBe(why)
  })

  test('a program is found without the end of its name', () => {
    const folder = tempDir()
    writeFileSync(join(folder, 'pt.EXE'), '', { mode: 0o755 })
    expect(whyNotExec([join(folder, 'pt')], 'win32')).toBeUndefined()
    expect(whyNotExec([join(folder, 'pt')], 'linux')).toBe('there is no such program, or it may not be executed')
  })
})
