import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readExactly } from 'postern/io'
import { describe, expect, onTestFinished, test } from 'vitest'
import { echoed, isAlive, tempDir, timePasses } from '../support.ts'
import { clientEnv, executable, noisy, portIn, program, rotByN, runChild, serverEnv, usageOf } from './child.ts'
import { echo, open, readAll, socks, socksRequest } from './support.ts'
import { shows } from '../shows.ts'

const greeting = /^VERSION 1\nSTATUS TYPE=version IMPLEMENTATION="postern" VERSION="[^"]+"\n/

/** Resolves once nobody listens there any more. */
async function closed(port: number): Promise<void> {
  const state = (): Promise<string> =>
    open(port).then(
      // One that was still accepted must not be what the PT waits for.
      (conn) => conn.destroy() && 'open',
      () => 'closed',
    )
  await expect.poll(state).toBe('closed')
}

describe('a PT that cannot start', () => {
  test.each<readonly [what: string, env: () => Record<string, string | undefined>, last: RegExp]>([
    ['another version', () => clientEnv({ TOR_PT_MANAGED_TRANSPORT_VER: '2' }), /^VERSION-ERROR no-version\n$/],
    ['another version and nothing else', () => ({ TOR_PT_MANAGED_TRANSPORT_VER: '2' }), /^VERSION-ERROR no-version\n$/],
    [
      'no version',
      () => clientEnv({ TOR_PT_MANAGED_TRANSPORT_VER: '' }),
      /^ENV-ERROR TOR_PT_MANAGED_TRANSPORT_VER .*\n$/,
    ],
    ['both roles', () => clientEnv({ TOR_PT_SERVER_TRANSPORTS: 'x' }), /\nENV-ERROR TOR_PT_CLIENT_TRANSPORTS .*\n$/],
    ['no role', () => clientEnv({ TOR_PT_CLIENT_TRANSPORTS: undefined }), /\nENV-ERROR TOR_PT_CLIENT_TRANSPORTS .*\n$/],
    [
      'a host name',
      () => serverEnv({ TOR_PT_SERVER_BINDADDR: 'rot_by_N-host:1' }),
      /\nENV-ERROR TOR_PT_SERVER_BINDADDR .*\n$/,
    ],
    ['a strange proxy', () => clientEnv({ TOR_PT_PROXY: 'gopher://1' }), /"\nPROXY-ERROR TOR_PT_PROXY: .*\n$/],
  ])(
    'ARCH-1, FLOW-2, FLOW-3, VER-3, ERR-2, PROXY-3: for %s its last line says why, whole, and its status is 1',
    async (_what, env, last) => {
      const pt = runChild({ env: env() })
      expect(await pt.exit).toBe(1)
      expect(pt.stdout()).toMatch(last)
      expect(pt.stdout()).not.toMatch(/METHOD/)
      shows('VER-3', 'ERR-2')
      // A human reads stderr: one or two lines, and no stack trace.
      expect(pt.stderr()).toMatch(/^postern: .*\n(?:A pluggable transport is started by .*\n)?$/)
    },
  )

  test.each([
    [['pt', '--frobnicate'], "Unknown option '--frobnicate'"],
    [['pt', '--log-level', 'loud'], '--log-level loud: expected one of error, warning, notice, info, debug'],
    [['pt', '--transport', 'obfs9'], '--transport obfs9: no such transport; there are: .*'],
    [['pt', '--load', '/nonexistent.js'], '--load /nonexistent.js: there is no such file'],
    [['pt', '--load', executable.replace('main.js', 'usage.js')], '--load .*: no transport among its exports .*'],
    [['frobnicate'], 'there is no command "frobnicate"'],
  ])('FLOW-3: a parent is told of the wrong command line %j', async (args, message) => {
    const pt = runChild({ args, env: clientEnv() })
    expect(await pt.exit).toBe(1)
    expect(pt.stdout()).toMatch(greeting)
    expect(pt.stdout()).toMatch(new RegExp(`\\nLOG SEVERITY=error MESSAGE=".*"\\nENV-ERROR ${message}\\n$`))
  })

  test('FLOW-3: a module with a syntax error is told to the parent, with what shows the line', async () => {
    const broken = join(tempDir(), 'broken.mjs')
    writeFileSync(broken, 'export const\n')
    const pt = runChild({ args: ['pt', '--load', broken], env: clientEnv() })
    expect(await pt.exit).toBe(1)
    expect(pt.lines().at(-1)).toMatch(/^ENV-ERROR --load .*: it cannot be loaded: .*; node \/.*broken\.mjs says where$/)
  })

  test('FLOW-4, PROXY-1, PROXY-3: with a proxy that cannot be used no transport is loaded, let alone initialized', async () => {
    const env = clientEnv({ TOR_PT_CLIENT_TRANSPORTS: 'noisy', TOR_PT_PROXY: 'socks5://proxy.example:1' })
    const pt = runChild({ args: ['pt', '--load', noisy], env })
    expect(await pt.exit).toBe(1)
    expect(pt.stdout()).toMatch(/\nPROXY-ERROR .*\n$/)
    expect(pt.stderr()).toMatch(/^postern: TOR_PT_PROXY: .*\n$/)
    shows('FLOW-4', 'PROXY-1', 'PROXY-3')
  })

  test('NAME-2: a module that brings a name for the second time is told to the parent', async () => {
    const copy = join(tempDir(), 'copy.mjs')
    writeFileSync(copy, 'export const copy = { name: "rot_by_N", client() {}, server() {} }')
    const pt = runChild({ args: ['pt', '--load', rotByN, '--load', copy], env: clientEnv() })
    expect(await pt.exit).toBe(1)
    expect(pt.stdout()).toMatch(/\nENV-ERROR two transports are registered under the name rot_by_N\n$/)
    shows('NAME-2')
  })

  test('NAME-2: a program that registers two transports under one name hears PT_NAME and says nothing', async () => {
    const command = program('...{ transports: [rotByN, rotByN] }')
    const pt = runChild({ command, env: clientEnv() })
    expect(await pt.exit).toBe(1)
    expect(pt.stdout()).toBe('')
    expect(pt.stderr()).toContain("code: 'PT_NAME'")
  })
})

describe('a client', () => {
  test('ARCH-3, FLOW-4, FLOW-5, PROXY-2, CM-1, CM-3, CM-4, CENV-2, NAME-2: unknown names are silent, a repeated one is launched once, in order', async () => {
    const env = clientEnv({
      TOR_PT_CLIENT_TRANSPORTS: 'obfs9,rot_by_N,*,rot_by_N',
      TOR_PT_PROXY: 'socks5://127.0.0.1:1',
    })
    const pt = runChild({ env })
    await pt.line('CMETHODS')
    expect(pt.stdout()).toMatch(
      new RegExp(`${greeting.source}PROXY DONE\\nCMETHOD rot_by_N socks5 127\\.0\\.0\\.1:\\d+\\nCMETHODS DONE\\n$`),
    )
    shows('ARCH-3', 'FLOW-5', 'CM-4', 'CENV-2')
  })

  test.each([
    ['CMETHODS DONE', () => clientEnv({ TOR_PT_CLIENT_TRANSPORTS: 'obfs9,x' }), 'obfs9, x'],
    [
      'SMETHODS DONE',
      () => serverEnv({ TOR_PT_SERVER_TRANSPORTS: 'obfs9', TOR_PT_SERVER_BINDADDR: 'obfs9-127.0.0.1:0' }),
      'obfs9',
    ],
  ] as const)('CM-4: one that knows none of the names says %s and why it ends', async (done, env, names) => {
    const pt = runChild({ env: env() })
    expect(await pt.exit).toBe(1)
    expect(pt.lines().slice(2).toSorted()).toEqual(
      [
        done,
        `LOG SEVERITY=error MESSAGE="passed over, as this PT has no such transport: ${names}"`,
        'LOG SEVERITY=error MESSAGE="no transport was launched, so this process ends"',
      ].toSorted(),
    )
    expect(pt.stderr()).toBe('')
  })

  test('CM-2, SM-5: one whose transports all fail says so, and ends', async () => {
    const env = serverEnv({ TOR_PT_SERVER_BINDADDR: 'rot_by_N-192.0.2.1:0' })
    const pt = runChild({ env })
    expect(await pt.exit).toBe(1)
    expect(pt.stdout()).toContain('\nSMETHOD-ERROR rot_by_N cannot listen on port 0')
    expect(pt.lines().at(-1)).toBe('LOG SEVERITY=error MESSAGE="no transport was launched, so this process ends"')
  })

  test('--transport offers the named ones only', async () => {
    const args = ['pt', '--load', rotByN, '--load', noisy, '--transport', 'rot_by_N']
    const pt = runChild({ args, env: clientEnv({ TOR_PT_CLIENT_TRANSPORTS: 'noisy,rot_by_N' }) })
    await pt.line('CMETHODS DONE')
    expect(pt.lines().filter((line) => line.startsWith('CMETHOD'))).toEqual([
      expect.stringMatching(/^CMETHOD rot_by_N /),
      'CMETHODS DONE',
    ])
  })

  test('CM-1: --socks4 says socks4', async () => {
    const pt = runChild({ args: ['pt', '--load', rotByN, '--socks4'], env: clientEnv() })
    expect(await pt.line('CMETHOD ')).toMatch(/^CMETHOD rot_by_N socks4 /)
  })

  test('ENV-5, ENV-6: it makes its state directory, with mode 0700, and nothing anywhere else', async () => {
    const stateDir = join(tempDir(), 'a', 'pt_state')
    const home = tempDir()
    const pt = runChild({
      command: ['/bin/sh', '-c', `cd ${home} && exec ${process.execPath} ${executable} pt --load ${rotByN}`],
      env: clientEnv({ TOR_PT_STATE_LOCATION: stateDir, HOME: home, TMPDIR: home }),
    })
    await pt.line('CMETHODS DONE')
    expect(statSync(stateDir).mode & 0o777).toBe(0o700)
    expect(readdirSync(home)).toEqual([])
    shows('ENV-5', 'ENV-6')
  })

  test('STATUS-1, LOG-1, ANON-4: a failed dial is a STATUS and a LOG line without the address; --unsafe-logging shows it', async () => {
    for (const [flags, expected] of [
      [[], /^STATUS TRANSPORT=rot_by_N PORT=\d+ CONNECT=Failed STAGE=connect ERRSTR=/],
      [
        ['--unsafe-logging'],
        /^STATUS TRANSPORT=rot_by_N PORT=\d+ ADDRESS=127\.0\.0\.1:1 CONNECT=Failed STAGE=connect ERRSTR=/,
      ],
    ] as const) {
      const pt = runChild({ args: ['pt', '--load', rotByN, ...flags], env: clientEnv() })
      const { reply } = await socks(portIn(await pt.line('CMETHOD ')), '127.0.0.1:1')
      expect(reply).toBe(5)
      expect(await pt.line('STATUS TRANSPORT')).toMatch(expected)
      expect(await pt.line('LOG')).toMatch(/^LOG SEVERITY=notice MESSAGE="rot_by_N: connection failed: /)
      shows('STATUS-1')
    }
  })

  test('obfs4proxy’s flags are understood, and the bare command is a PT where a parent starts it', async () => {
    const pt = runChild({
      args: ['-enableLogging', '-logLevel=DEBUG', '--load', rotByN],
      env: clientEnv({ TOR_PT_CLIENT_TRANSPORTS: 'obfs9,obfs4' }),
    })
    await pt.line('CMETHODS DONE')
    expect(pt.stdout()).toContain('LOG SEVERITY=info MESSAGE="passed over, as this PT has no such transport: obfs9"\n')
    const bare = runChild({ args: [], env: clientEnv() })
    await bare.line('CMETHODS DONE')
  })
})

describe('client and server', () => {
  test('ARCH-4, FLOW-5, SM-1, SM-3, SM-6, SENV-2, SENV-10, FLOW-6: bytes go through both, ends included', async () => {
    const { address } = await echo()
    const env = serverEnv({ TOR_PT_ORPORT: address, TOR_PT_SERVER_TRANSPORTS: 'obfs9,rot_by_N' })
    const server = runChild({ env: { ...env, TOR_PT_SERVER_TRANSPORT_OPTIONS: 'obfs9:a=b;rot_by_N:N=200' } })
    const client = runChild({ env: clientEnv() })
    const smethod = await server.line('SMETHOD ')
    expect(server.stdout()).toMatch(greeting)
    expect(smethod).toMatch(/^SMETHOD rot_by_N 127\.0\.0\.1:\d+ ARGS:N=200$/)
    shows('SENV-2', 'SM-1', 'SM-3')
    await server.line('SMETHODS DONE')
    const { conn, reply } = await socks(portIn(await client.line('CMETHOD ')), `127.0.0.1:${portIn(smethod)}`, 'N=200')
    expect(reply).toBe(0)
    expect(await echoed(conn, 'through both')).toBe('through both')
    shows('ARCH-4')
    expect(await client.line('STATUS TRANSPORT')).toMatch(/^STATUS TRANSPORT=rot_by_N PORT=\d+ CONNECT=Success$/)
  })

  test('ANON-1: at the most talkative level a server says nothing of where its clients come from', async () => {
    const server = runChild({ args: ['pt', '--load', rotByN, '--log-level', 'debug'], env: serverEnv() })
    const conn = await open(portIn(await server.line('SMETHOD ')))
    expect(await readAll(conn)).toBe('')
    server.child.kill('SIGTERM')
    expect(await server.exit).toBe(0)
    const afterDone = server.stdout().split('SMETHODS DONE\n')[1]!
    expect(afterDone).toContain('LOG SEVERITY=warning MESSAGE="rot_by_N: cannot forward to the orPort: ')
    expect(afterDone + server.stderr()).not.toContain('127.0.0.1')
    shows('ANON-1')
  })

  test('SM-2, SM-5: an address that is taken is an SMETHOD-ERROR', async () => {
    const { port } = await echo()
    const server = runChild({ env: serverEnv({ TOR_PT_SERVER_BINDADDR: `rot_by_N-127.0.0.1:${port}` }) })
    await server.line('SMETHODS DONE')
    expect(server.lines().slice(2, 4)).toEqual([
      `SMETHOD-ERROR rot_by_N cannot listen on port ${port} of the bind address: EADDRINUSE`,
      'SMETHODS DONE',
    ])
  })
})

describe('standard streams', () => {
  test('LINE-1, ANON-1: what a transport prints goes to stderr, scrubbed; stdout has protocol lines only', async () => {
    const pt = runChild({ args: ['pt', '--load', noisy], env: clientEnv({ TOR_PT_CLIENT_TRANSPORTS: 'noisy' }) })
    await pt.line('CMETHODS DONE')
    expect(pt.stdout()).toMatch(
      new RegExp(`${greeting.source}CMETHOD noisy socks5 127\\.0\\.0\\.1:\\d+\\nCMETHODS DONE\\n$`),
    )
    shows('LINE-1')
    pt.child.kill('SIGTERM')
    await pt.exit
    expect(pt.stderr()).toBe('CMETHOD noise socks5 [scrubbed]\nCMETHODS DONE\nlaunched at [scrubbed]\nbytes\n')
  })

  test('LINE-1, LOG-1: an error that nobody catches is a LOG line, without address and stack, and status 1', async () => {
    const pt = runChild({ args: ['pt', '--load', noisy], env: clientEnv({ TOR_PT_CLIENT_TRANSPORTS: 'noisy' }) })
    const conn = await open(portIn(await pt.line('CMETHOD ')))
    conn.write(socksRequest('127.0.0.1:1', 'fail=throw'))
    expect(await pt.exit).toBe(1)
    expect(pt.lines().filter((line) => line.startsWith('LOG SEVERITY=error'))).toEqual([
      'LOG SEVERITY=error MESSAGE="internal error: thrown at [scrubbed]"',
    ])
    expect(pt.stderr()).toMatch(/\npostern: thrown at \[scrubbed\]\n$/)
  })

  test('LOG-1: a rejection that nobody handles is a LOG line, and the other connections go on', async () => {
    const { address } = await echo()
    const pt = runChild({ args: ['pt', '--load', noisy], env: clientEnv({ TOR_PT_CLIENT_TRANSPORTS: 'noisy' }) })
    const port = portIn(await pt.line('CMETHOD '))
    const before = await socks(port, address, 'k=v')
    const during = await socks(port, address, 'fail=reject')
    expect(await pt.line('LOG')).toBe('LOG SEVERITY=error MESSAGE="unhandled rejection: rejected at [scrubbed]"')
    for (const { conn } of [before, during]) {
      expect(await echoed(conn, 'alive')).toBe('alive')
    }
  })

  test('a parent that stops reading stdout and stderr does not freeze the PT', async () => {
    const { address } = await echo()
    const pt = runChild({ args: ['pt', '--load', noisy], env: clientEnv({ TOR_PT_CLIENT_TRANSPORTS: 'noisy' }) })
    const port = portIn(await pt.line('CMETHOD '))
    await pt.line('CMETHODS DONE')
    pt.child.stdout!.pause()
    pt.child.stderr!.pause()
    expect((await socks(port, address, 'fail=storm')).reply).toBe(0)
    for (let i = 0; i < 200; i++) {
      const { conn } = await socks(port, address, 'k=v')
      expect(await echoed(conn, 'alive')).toBe('alive')
    }
    expect(usageOf(pt.child.pid!).rss).toBeLessThan(200)
    pt.child.stdout!.resume()
    pt.child.stderr!.resume()
    pt.child.kill('SIGTERM')
    expect(await pt.exit).toBe(0)
    expect(pt.stderr().slice(-100)).toMatch(/\n\d+ lines dropped: they were not read\n$/)
    // Whole lines only, whatever was dropped between them.
    for (const line of pt.lines()) expect(line).toMatch(/^(?:VERSION|CMETHOD|CMETHODS|LOG|STATUS) /)
  })

  test('a parent that closes stdout has not asked the PT to go', async () => {
    const { address } = await echo()
    const pt = runChild({ env: clientEnv() })
    const port = portIn(await pt.line('CMETHOD '))
    await pt.line('CMETHODS DONE')
    pt.child.stdout!.destroy()
    for (let i = 0; i < 5; i++) expect((await socks(port, '127.0.0.1:1')).reply).toBe(5)
    expect((await socks(port, address)).reply).toBe(0)
  })

  test('LINE-1: stdout may be a file', async () => {
    const dir = tempDir()
    const pt = runChild({
      command: ['/bin/sh', '-c', `exec ${process.execPath} ${executable} pt --load ${rotByN} > ${dir}/out`],
      env: clientEnv({ TOR_PT_EXIT_ON_STDIN_CLOSE: '1' }),
    })
    const printed = (): string => readFileSync(`${dir}/out`, 'utf8')
    await expect
      .poll(printed)
      .toMatch(/^VERSION 1\nSTATUS .+\nCMETHOD rot_by_N socks5 127\.0\.0\.1:\d+\nCMETHODS DONE\n/)
    pt.child.stdin!.end()
    expect(await pt.exit).toBe(0)
  })
})

describe('shutting down', () => {
  test.each([undefined, '', '0', 'true', '01', '1 '])(
    'ENV-7: a closed stdin does not end a PT whose TOR_PT_EXIT_ON_STDIN_CLOSE is %j',
    async (value) => {
      const pt = runChild({ env: clientEnv({ TOR_PT_EXIT_ON_STDIN_CLOSE: value }) })
      pt.child.stdin!.end()
      const port = portIn(await pt.line('CMETHOD '))
      // The second connection is accepted in a later turn of the event loop than the end of stdin, which was there before both.
      for (let i = 0; i < 2; i++) expect((await socks(port, '127.0.0.1:1')).reply).toBe(5)
      shows('ENV-7')
    },
  )

  test('ENV-7: a stdin that was never open does not either', async () => {
    const pt = runChild({ env: clientEnv(), stdio: ['ignore', 'pipe', 'pipe'] })
    const port = portIn(await pt.line('CMETHOD '))
    for (let i = 0; i < 2; i++) expect((await socks(port, '127.0.0.1:1')).reply).toBe(5)
  })

  test('ENV-8, STOP-2: with TOR_PT_EXIT_ON_STDIN_CLOSE=1 it does, with status 0; what came before is thrown away', async () => {
    const pt = runChild({ env: clientEnv({ TOR_PT_EXIT_ON_STDIN_CLOSE: '1' }) })
    await pt.line('CMETHODS DONE')
    // A pipe holds 64 KiB, so the PT has read nearly all of it then.
    await new Promise((resolve) => pt.child.stdin!.write(Buffer.alloc(1 << 20, 'x'), resolve))
    expect(isAlive(pt.child.pid!)).toBe(true)
    pt.child.stdin!.end()
    expect(await pt.exit).toBe(0)
    shows('ENV-8', 'STOP-2')
  })

  test.each(['SIGTERM', 'SIGINT'] as const)(
    'STOP-3, FLOW-7: %s closes the listeners, lets a connection finish, and ends with status 0',
    async (signal) => {
      const { address } = await echo()
      // Longer than the default, so that the connection cannot be cut before this test has seen the listener close.
      const pt = runChild({ command: program('drainTimeout: 60_000'), env: clientEnv() })
      const port = portIn(await pt.line('CMETHOD '))
      const { conn } = await socks(port, address)
      pt.child.kill(signal)
      await closed(port)
      expect(await echoed(conn, 'goodbye')).toBe('goodbye')
      expect(await pt.exit).toBe(0)
      shows('STOP-3', 'FLOW-7')
    },
  )

  test('STOP-3: connections that do not finish are cut within a bounded time', async () => {
    const { address } = await echo()
    const pt = runChild({ env: clientEnv() })
    const { conn } = await socks(portIn(await pt.line('CMETHOD ')), address)
    const started = Date.now()
    pt.child.kill('SIGTERM')
    expect(await readAll(conn)).toBe('')
    expect(await pt.exit).toBe(0)
    expect(Date.now() - started).toBeLessThan(10_000)
  })

  test('STOP-3: after SIGINT the listener is closed and a connection goes on for as long as it likes, and the PT ends with it', async () => {
    const { address } = await echo()
    const pt = runChild({ command: program('drainTimeout: 50'), env: clientEnv() })
    const port = portIn(await pt.line('CMETHOD '))
    const { conn } = await socks(port, address)
    pt.child.kill('SIGINT')
    await closed(port)
    await timePasses(500)
    expect(await echoed(conn, 'still here')).toBe('still here')
    expect(await pt.exit).toBe(0)
  })

  test('STOP-2, STOP-3: after SIGINT the end of stdin gives connections the usual time', async () => {
    const { address } = await echo()
    const env = clientEnv({ TOR_PT_EXIT_ON_STDIN_CLOSE: '1' })
    const pt = runChild({ command: program('drainTimeout: 50'), env })
    const port = portIn(await pt.line('CMETHOD '))
    const { conn } = await socks(port, address)
    pt.child.kill('SIGINT')
    await closed(port)
    pt.child.stdin!.end()
    expect(await readAll(conn)).toBe('')
    expect(await pt.exit).toBe(0)
  })

  test('STOP-3: after SIGINT another signal ends it at once', async () => {
    const { address } = await echo()
    const pt = runChild({ command: program('drainTimeout: 60_000'), env: clientEnv() })
    const port = portIn(await pt.line('CMETHOD '))
    await socks(port, address)
    pt.child.kill('SIGINT')
    await closed(port)
    pt.child.kill('SIGTERM')
    expect(await pt.exit).toBe(0)
  })

  test('STOP-3, FLOW-7: a handshake that was accepted before the stop is finished and carried', async () => {
    const { address } = await echo()
    const pt = runChild({ command: program('drainTimeout: 60_000'), env: clientEnv() })
    const port = portIn(await pt.line('CMETHOD '))
    const conn = await open(port)
    const request = socksRequest(address, 'N=13')
    // The method is chosen, so the connection has been accepted.
    conn.write(request.subarray(0, 3))
    await readExactly(conn, 2)
    pt.child.kill('SIGTERM')
    await closed(port)
    conn.write(request.subarray(3))
    expect((await readExactly(conn, 12))[3]).toBe(0)
    expect(await echoed(conn, 'carried')).toBe('carried')
    expect(await pt.exit).toBe(0)
  })

  test('STOP-3: a second signal ends it at once', async () => {
    const { address } = await echo()
    const pt = runChild({ command: program('drainTimeout: 60_000'), env: clientEnv() })
    const port = portIn(await pt.line('CMETHOD '))
    expect(pt.lines()[1]).toMatch(/^CMETHOD /)
    await socks(port, address)
    pt.child.kill('SIGTERM')
    await closed(port)
    pt.child.kill('SIGTERM')
    expect(await pt.exit).toBe(0)
  })

  test('SIGHUP, which terminals and nohup send to everyone, is not for a PT', async () => {
    const pt = runChild({ env: clientEnv() })
    const port = portIn(await pt.line('CMETHOD '))
    await pt.line('CMETHODS DONE')
    pt.child.kill('SIGHUP')
    for (let i = 0; i < 2; i++) expect((await socks(port, '127.0.0.1:1')).reply).toBe(5)
  })

  test('STOP-4: a PT whose parent is killed is gone within 3 s, though another process holds its stdin open', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'postern-test-'))
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
    // The parent starts a sleep that holds the other end of the PT's stdin, and a PT; then it is killed.
    const script = `mkfifo ${dir}/stdin; sleep 120 3<>${dir}/stdin & echo $! ; ${process.execPath} ${executable} pt --load ${rotByN} <${dir}/stdin & echo $!; wait`
    const parent = spawn('/bin/bash', ['-c', script], {
      env: clientEnv({ TOR_PT_EXIT_ON_STDIN_CLOSE: '1' }),
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    let text = ''
    parent.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
    await expect.poll(() => text, { timeout: 10_000 }).toContain('CMETHODS DONE')
    const [holder, pt] = text
      .split('\n')
      .filter((line) => /^\d+$/.test(line))
      .map(Number)
    onTestFinished(() => {
      for (const pid of [holder!, pt!]) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
    })
    parent.kill('SIGKILL')
    await once(parent, 'exit')
    await expect.poll(() => isAlive(pt!), { timeout: 3_000 }).toBe(false)
    shows('STOP-4')
    expect(isAlive(holder!)).toBe(true)
  })
})

test('a PT that is out of file descriptors goes on when there are some again', async () => {
  const { address } = await echo()
  const pt = runChild({
    command: ['/bin/sh', '-c', `ulimit -n 60; exec ${process.execPath} ${executable} pt --load ${rotByN}`],
    env: clientEnv(),
  })
  const port = portIn(await pt.line('CMETHOD '))
  const waiting = await Promise.all(Array.from({ length: 100 }, () => open(port)))
  for (const conn of waiting) conn.destroy()
  await expect.poll(async () => (await socks(port, address).catch(() => undefined))?.reply, { timeout: 10_000 }).toBe(0)
})

test('a reporter that cannot say anything takes no connection with it', async () => {
  const { address } = await echo()
  // A Node as the reporter does not expect it.
  const broken =
    'data:text/javascript,delete String.prototype.replaceAll;delete Array.prototype.toSorted;delete RegExp.prototype[Symbol.replace]'
  const pt = runChild({
    command: [process.execPath, '--import', broken, executable, 'pt', '--load', rotByN],
    env: clientEnv(),
  })
  const port = portIn(await pt.line('CMETHOD '))
  for (let round = 0; round < 3; round++) {
    const { conn, reply } = await socks(port, address)
    expect(reply).toBe(0)
    expect(await echoed(conn, 'served')).toBe('served')
    expect((await socks(port, '127.0.0.1:1')).reply).toBe(5)
  }
  await pt.line('LOG SEVERITY=error MESSAGE="a LOG or STATUS line is missing: it could not be written"')
})
