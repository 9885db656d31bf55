/** What other programs, files and people say: it moves nothing on a terminal, forges no line, and is bounded. */
import type { ChildProcess } from 'node:child_process'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, onTestFinished, test } from 'vitest'
import { printable, printableJson } from '../../src/cli/printable.ts'
import { freePort, root, tempDir } from '../support.ts'
import { postern, ready, start } from './postern.ts'

const main = `${root}dist/cli/main.js`
const fixtures = `${root}test/fixtures/pt`
const line = `obfs4 127.0.0.1:1 cert=${'A'.repeat(70)} iat-mode=0`

/** All that a terminal could obey but the end of a line. */
const obeyed = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]/

/** A command whose stdout is text, not JSON; it is ended with the test. */
function startText(args: readonly string[], stdout: 'pipe' | number = 'pipe'): ChildProcess {
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', stdout, 'pipe'] })
  onTestFinished(async () => {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  })
  return child
}

/** Unlike once(), it does not mind an error. */
function closeOf(conn: Socket): Promise<void> {
  return new Promise((resolve) => conn.once('close', () => resolve()))
}

async function linesUntil(child: ChildProcess, last: RegExp): Promise<string[]> {
  const lines: string[] = []
  for await (const text of createInterface({ input: child.stdout! })) {
    lines.push(text)
    if (last.test(text)) return lines
  }
  throw new Error(`it ended without ${last}: ${lines.join('\n')}`)
}

test.each([
  ['\u001b]0;title\u0007', String.raw`\x1b]0;title\x07`],
  ['one\nweb: ready\r\n', String.raw`one\nweb: ready\r\n`],
  ['\u009b2J', String.raw`\x9b2J`],
  ['a\u202egnp.exe', String.raw`a\u202egnp.exe`],
  ['a\u200bb\u2028c\ufeff', String.raw`a\u200bb\u2028c\ufeff`],
  ['plain “words” – Grüße, 你好 🙂', 'plain “words” – Grüße, 你好 🙂'],
])('%j is printed as %s', (text, shown) => {
  expect(printable(text)).toBe(shown)
  expect(printableJson(JSON.stringify({ text }))).not.toMatch(obeyed)
  expect(JSON.parse(printableJson(JSON.stringify({ text }, null, 2)))).toEqual({ text })
})

describe('escapes', () => {
  test('of a PT, in its LOG and its last words, are shown and not obeyed, and begin no line', async () => {
    const child = startText(['client', '--exec', `${fixtures}/says-escapes.sh`, line])
    const lines = await linesUntil(child, /raw/)
    expect(lines.filter((text) => obeyed.test(text))).toEqual([])
    expect(lines.filter((text) => text.startsWith(' web') || text.startsWith('web'))).toEqual([])
    expect(lines.find((text) => text.includes('TITLE'))).toContain(
      String.raw`\x1b]0;TITLE\x07\x1b[2J\x1b[31mred \n\r web: ready`,
    )
    child.kill('SIGTERM')
    for await (const text of createInterface({ input: child.stdout! })) expect(text).not.toMatch(obeyed)
  })

  test('of a TOML file: keys, names of tunnels and what is no TOML', () => {
    const file = join(tempDir(), 'tunnels.toml')
    for (const source of [
      '[client."\\u001b[2J\\u0007"]\nlisten = "127.0.0.1:1"\nbridges = []\n',
      '"\\u001b]0;t\\u0007" = 1\n',
      '[client.a]\n"x\\nforged: line" = 1\nlisten = "127.0.0.1:1"\nbridges = ["x"]\n',
      '\u001b[2J = 1\n',
      `[client.a]\nlisten = "127.0.0.1:1"\nbridges = ["obfs4 \u009b2J"]\n`,
    ]) {
      writeFileSync(file, source)
      const { status, stderr } = postern(['run', '--check', file])
      expect([status, stderr.trimEnd().split('\n').length]).toEqual([2, 2])
      expect(stderr).not.toMatch(obeyed)
    }
  })

  test('of bridge lines, as text and as JSON', () => {
    const file = join(tempDir(), 'bridges')
    writeFileSync(file, 'obfs4 1.2.3.4:5 \u001b]0;PWN\u0007 cert=x\n\u001b[2Jfoo\nobfs4 \u009b2J:1 a\u202eb=c\n')
    for (const flags of [[], ['--json']]) {
      const { stdout, stderr } = postern(['bridge', 'check', '--show-addresses', ...flags, '--file', file])
      expect(stdout + stderr).not.toMatch(obeyed)
      expect(stdout).toContain('iat-mode')
    }
  })

  test('of the command line itself', () => {
    for (const args of [
      ['\u001b[2J'],
      ['client', '--\u001b[2J'],
      ['server', '\u001b]0;t\u0007\nfoo'],
      ['run', '\u001b[2J\nx'],
    ]) {
      const { stderr } = postern(args)
      expect(stderr).not.toMatch(obeyed)
      expect(stderr.trimEnd().split('\n').length).toBeLessThanOrEqual(2)
    }
  })
})

describe('the number of lines', () => {
  test('a PT that says 200,000 lines at once is heard 50 times a second, and what was left out is counted', async () => {
    const client = start('client', '--exec', `${fixtures}/floods.sh`, line)
    const { message } = await client.next(({ event }) => event === 'suppressed')
    expect(message).toMatch(/^\d+ more of log within a second$/)
    expect(Number.parseInt(message as string, 10)).toBeGreaterThan(1_000)
    const heard = client.events.filter(({ event }) => event === 'log').length
    expect(heard).toBeLessThan(1_000)
  })

  test('denied requests and wrong passwords cannot fill a log', async () => {
    const secret = join(tempDir(), 'secret')
    writeFileSync(secret, 'correct horse\n')
    const client = start('client', '--secret-file', secret, 'obfs3 127.0.0.1:1')
    const port = Number((await ready(client, 'client')).listen.split(':')[1])
    const ask = async (): Promise<void> => {
      const conn = connect(port, '127.0.0.1').on('error', () => {})
      conn.resume().end(Uint8Array.of(5, 1, 2, 1, 1, 97, 1, 98))
      await closeOf(conn)
    }
    await Promise.all(Array.from({ length: 500 }, ask))
    await client.next(({ event }) => event === 'suppressed')
    expect(client.events.filter(({ event }) => event === 'failure').length).toBeLessThan(450)
  })
})

test('a stdout that nobody reads does not keep the process after SIGTERM', async () => {
  const port = await freePort()
  const fifo = join(tempDir(), 'fifo')
  expect(spawnSync('mkfifo', [fifo]).status).toBe(0)
  const pipe = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK)
  onTestFinished(() => closeSync(pipe))
  expect(() => {
    for (;;) writeSync(pipe, 'full\n')
  }).toThrow('EAGAIN')
  const child = startText(['client', `--listen=127.0.0.1:${port}`, '--exec', `${fixtures}/floods.sh`, line], pipe)
  const exited = once(child, 'exit')
  const isListening = async (): Promise<boolean> => {
    const conn = connect(port, '127.0.0.1').on('error', () => {})
    const open = await new Promise<boolean>((resolve) => {
      conn.once('connect', () => resolve(true)).once('close', () => resolve(false))
    })
    conn.destroy()
    return open
  }
  await expect.poll(isListening).toBe(true)
  child.kill('SIGTERM')
  expect(await exited).toEqual([0, null])
})

describe('postern check', () => {
  test.each([[], ['--json']])('shows the escapes in what a PT says (%s)', (...flags) => {
    const pt = ['--patience', '1', '--client', '--transport', 'obfs4', '--verbose', '--', `${fixtures}/says-escapes.sh`]
    const { stdout, stderr } = postern(['check', 'pt', ...flags, ...pt])
    expect(stdout).toContain('TITLE')
    expect(stdout + stderr).not.toMatch(obeyed)
  })
})

describe('the bridge line of a server', () => {
  const flags = ['--listen=127.0.0.1:0', '--forward=127.0.0.1:1', '--public-address=198.51.100.7']

  test.each(['pipe', 'file', 'json'])(
    'goes into no log (%s) but a file for its owner alone, which the log names',
    async (how) => {
      const stateDir = tempDir()
      const log = join(tempDir(), 'log')
      const args = [
        'server',
        'scramblesuit',
        `--state-dir=${stateDir}`,
        ...flags,
        ...(how === 'json' ? ['--json'] : []),
      ]
      const child = startText(args, how === 'file' ? openSync(log, 'w') : 'pipe')
      const path = join(stateDir, 'bridge-line-scramblesuit.txt')
      const printed = async (): Promise<string> => {
        if (how !== 'file') return (await linesUntil(child, /bridge-line/)).join('\n')
        await expect.poll(() => readFileSync(log, 'utf8')).toContain('bridge-line')
        return readFileSync(log, 'utf8')
      }
      const text = await printed()
      expect(text).toContain(path)
      const kept = readFileSync(path, 'utf8')
      const password = /^scramblesuit 198\.51\.100\.7:\d+ password=([A-Z2-7]{32})\n$/.exec(kept)![1]!
      expect(text).not.toContain(password)
      expect(text).not.toContain('198.51.100.7')
      expect(statSync(path).mode & 0o777).toBe(0o600)
    },
  )

  test('is printed if --print-line asks for it', async () => {
    const child = startText(['server', 'obfs4', `--state-dir=${tempDir()}`, ...flags, '--print-line'])
    const lines = await linesUntil(child, /bridge line/)
    expect(lines.at(-1)).toMatch(/^server: bridge line obfs4 198\.51\.100\.7:\d+ cert=\S{70} iat-mode=0$/)
  })

  test('is shown on a terminal, whose cursor is left alone if TERM is dumb', async () => {
    const command = `${process.execPath} ${main} server obfs4 --state-dir=${tempDir()} ${flags.join(' ')}`
    for (const [term, moves] of [
      ['xterm', true],
      ['dumb', false],
    ] as const) {
      const child = spawn('script', ['-qfec', command, '/dev/null'], {
        stdio: ['pipe', 'pipe', 'ignore'],
        env: { ...process.env, TERM: term },
      })
      onTestFinished(() => void child.kill())
      let shown = ''
      for await (const chunk of child.stdout) {
        const last = moves ? '0 in all' : 'cert='
        const before = shown.includes(last)
        shown += String(chunk)
        // Ctrl-C, as it is typed: the terminal shows it, and the cursor stands behind it.
        if (!before && shown.includes(last)) child.stdin.write('\u0003')
      }
      expect(shown).toMatch(/stopping: connections have a moment to end\r\n/)
      if (moves) expect(shown).toMatch(/\^C[^\n]*\r\u001b\[1A\u001b\[0Jstopping/)
      expect(shown).toMatch(/bridge line obfs4 198/)
      expect(/\u001b\[\d+A/.test(shown)).toBe(moves)
    }
  })
})
