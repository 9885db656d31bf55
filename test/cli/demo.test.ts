/** `postern demo`, as `npm start` runs it: two real PT processes, a file, and nothing left behind. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { isAlive, root, tempDir } from '../support.ts'

interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
  /** What is left in the folder that the demo was given for temporary files. */
  readonly left: readonly string[]
}

/** Runs the demo; sends `interrupt` once its output matches. */
async function demo(args: readonly string[], interrupt?: { signal: NodeJS.Signals; at: RegExp }): Promise<Ended> {
  const dir = tempDir()
  const child = spawn(process.execPath, [join(root, 'dist/cli/main.js'), 'demo', ...args], {
    env: { PATH: process.env['PATH'], TMPDIR: dir },
  })
  let stdout = ''
  let stderr = ''
  let interrupted = false
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
    if (interrupted || interrupt?.at.test(stdout) !== true) return
    interrupted = child.kill(interrupt.signal)
  })
  const [status] = (await once(child, 'close')) as [number | null]
  return { status, stdout, stderr, left: readdirSync(dir) }
}

function processesOf(stdout: string): number[] {
  return [...stdout.matchAll(/starts process (\d+)/g)].map((match) => Number(match[1]))
}

test.each(['obfs2', 'obfs3', 'obfs4', 'scramblesuit'])(
  'FLOW-1, FLOW-5, FLOW-6, FLOW-7: postern demo fetches a file through %s, shows the dialogue, and leaves nothing',
  async (transport) => {
    const { status, stdout, stderr, left } = await demo(['--size', '2', '--transport', transport])
    expect(stderr).toBe('')
    expect(status).toBe(0)
    for (const said of ['parent → server   TOR_PT_ORPORT=127.0.0.1:', 'server → parent   SMETHODS DONE']) {
      expect(stdout).toContain(said)
    }
    expect(stdout).toMatch(new RegExp(`server → parent {3}SMETHOD ${transport} 127\\.0\\.0\\.1:\\d+`))
    expect(stdout).toMatch(new RegExp(`client → parent {3}CMETHOD ${transport} socks5 127\\.0\\.0\\.1:\\d+`))
    expect(stdout).toMatch(/47 45 54 20 2f 68 65 6c 6c 6f 20 48 {2}GET \/hello H {4}(?!47 45 54 20)/)
    expect(stdout).toMatch(/bytes +2097152 of 2097152\n +SHA-256 +[0-9a-f]{16}… as it should be/)
    const processes = processesOf(stdout)
    expect(processes).toHaveLength(2)
    expect(processes.filter((pid) => isAlive(pid))).toEqual([])
    expect(left).toEqual([])
  },
)

test('postern demo webtunnel shows a browser’s hello and sealed records in place of the request, and leaves nothing', async () => {
  const { status, stdout, stderr, left } = await demo(['webtunnel', '--size', '2'])
  expect({ stderr, status, left }).toEqual({ stderr: '', status: 0, left: [] })
  expect(stdout).toContain('parent ── PT client ══ TLS ══ web server ── PT server ── service')
  expect(stdout).toMatch(/server → parent {3}SMETHOD webtunnel \[2001:db8:[0-9a-f:]+\]:443 ARGS:url=https/)
  for (const [name, says] of [
    ['the application', 'GET /hello HTTP/1\\.1 … \\(\\d+ bytes\\)'],
    ['name of the host', 'demo\\.postern\\.example'],
    ['JA4', 't13d\\w+_[0-9a-f]{12}_[0-9a-f]{12}'],
    ['it looks like', 'Chromium \\d+, in every field'],
    ['client → server', 'handshake \\d+, change cipher spec 1, sealed \\d+, sealed \\d+.*'],
    ['server → client', 'handshake \\d+, change cipher spec 1, sealed \\d+.*'],
  ] as const) {
    expect(stdout).toMatch(new RegExp(`^ +${name} +${says}$`, 'm'))
  }
  expect(stdout).toMatch(/bytes +2097152 of 2097152\n +SHA-256 +[0-9a-f]{16}… as it should be/)
  expect(processesOf(stdout).filter((pid) => isAlive(pid))).toEqual([])
})

test.each([/The PT client is launched/, /The file: /])(
  'FLOW-7: a demo that is interrupted at %s ends its PTs and removes its files',
  async (at) => {
    const { status, stdout, stderr, left } = await demo(['--size', '100'], { signal: 'SIGINT', at })
    expect(status).toBe(1)
    expect(stderr).toBe('postern: interrupted\n')
    expect(processesOf(stdout).filter((pid) => isAlive(pid))).toEqual([])
    expect(left).toEqual([])
  },
  240_000,
)

test('FLOW-7: a demo whose output nobody reads any more ends its PTs and removes its files, without a stack trace', async () => {
  const dir = tempDir()
  const child = spawn(process.execPath, [join(root, 'dist/cli/main.js'), 'demo', '--size', '64'], {
    env: { PATH: process.env['PATH'], TMPDIR: dir },
  })
  let stderr = ''
  let stdout = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
    if (/TOR_PT_ORPORT/.test(stdout)) child.stdout.destroy()
  })
  expect((await once(child, 'close'))[0]).toBe(1)
  expect(stderr).toBe('postern: interrupted\n')
  expect(processesOf(stdout).filter((pid) => isAlive(pid))).toEqual([])
  expect(readdirSync(dir)).toEqual([])
})

test.each([
  [['--size', '0'], '--size 0: expected a number of MiB from 1 to 4096'],
  [['--size', '4097'], '--size 4097: expected a number of MiB from 1 to 4096'],
  [['--size', '1e3'], '--size 1e3: expected a number of MiB from 1 to 4096'],
  [['--transport', 'nope'], '--transport nope: expected one of obfs2, obfs3, obfs4, scramblesuit, webtunnel'],
  [['nope'], 'nope: expected one of obfs2, obfs3, obfs4, scramblesuit, webtunnel'],
  [['obfs4', 'x'], 'Unexpected argument "x"'],
  [['obfs4', '--transport', 'obfs3'], '--transport: TRANSPORT alone is enough'],
  [['--frob'], "Unknown option '--frob'"],
])('demo %j is one clear error, and nothing is started', async (args, message) => {
  const { status, stdout, stderr, left } = await demo(args)
  expect(stderr.split('\n')).toEqual([`postern: ${message}`, 'Try: postern demo --help', ''])
  expect({ status, stdout, left }).toEqual({ status: 2, stdout: '', left: [] })
})
