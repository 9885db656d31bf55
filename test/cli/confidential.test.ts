import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { parseAddress } from '../../src/ipc/index.ts'
import { fixture } from '../parent/fixtures.ts'
import { tempDir } from '../support.ts'
import { postern, ready, start } from './postern.ts'

const cert = 'SECRETCERT'.repeat(7)
const line = `obfs4 bridge-secret.example:4455 cert=${cert} iat-mode=0`

/** What the PT of a tunnel says: what it was told, and what it found out. */
const words = [
  `no route to bridge-secret.example:4455, cert=${cert}`,
  'cert SECRETCERTSECRETC… of BRIDGE-SECRET.example at x203.0.113.77 or 3405803853',
  'front https://cdn.example/secret-path?k=v and cdn.example/secret-path',
]
const secret = /203\.0\.113|3405803853|bridge-secret|SECRETC|cdn\.|secret-path/i

test.each([
  ['client', []],
  ['client --show-addresses', ['--show-addresses']],
])('ANON-1, ANON-4: postern %s prints the words of a PT of --exec without what it knows', async (_, flags) => {
  const exec = fixture('confide', ...words).map((word) => `'${word}'`)
  const running = start('client', ...flags, '--listen', '127.0.0.1:0', '--exec', exec.join(' '), line)
  const { listen } = await ready(running, 'client')
  const conn = connect(parseAddress(listen))
  onTestFinished(() => void conn.destroy())
  conn.on('error', () => {})
  const restart = await running.next(({ event }) => event === 'restart')
  const logs = running.events.filter(({ event }) => event === 'log')
  expect(logs.length).toBeGreaterThanOrEqual(words.length)
  const printed = JSON.stringify([logs, restart])
  expect(printed).toContain('no route to')
  expect(restart['message']).toContain('ended by itself, with exit status 1')
  expect(restart['reported']).toContain('front')
  if (flags.length === 0) expect(printed).not.toMatch(secret)
  else expect(printed).not.toMatch(/SECRETC/)
  if (flags.length > 0) expect(JSON.stringify(logs)).toContain('x203.0.113.77')
})

test('ANON-1, ANON-4: nor do a start that fails, and `bridge test`, repeat it', () => {
  const script = join(tempDir(), 'pt.sh')
  writeFileSync(script, `#!/bin/sh\nprintf '%s\\n' "$TEXT" >&2\nexit 3\n`, { mode: 0o700 })
  const env = { TEXT: `no route: ${words.join('; ')}` }
  for (const command of [
    ['client', '--listen', '127.0.0.1:0', '--exec', script, line],
    ['bridge', 'test', '--exec', script, line.replace('bridge-secret.example', '127.0.0.1')],
  ]) {
    const { status, stdout, stderr } = postern(command, env)
    expect(status).not.toBe(0)
    expect(stderr).toContain('ended before it said VERSION, with exit status 3; the PT said: no route')
    expect(`${stdout}${stderr}`).not.toMatch(command[0] === 'client' ? secret : /203\.0\.113|SECRETC|cdn\.|secret-path/)
  }
})
