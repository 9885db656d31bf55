/** What becomes of a command when whoever reads its output hangs up, as `| head` does. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { executable } from '../pt/child.ts'
import { tempDir } from '../support.ts'

test('a tunnel goes on without a word, and ends as it should', async () => {
  const line = `obfs4 127.0.0.1:9 cert=${'A'.repeat(70)} iat-mode=0`
  const home = tempDir()
  const child = spawn(process.execPath, [executable, 'client', '--json', '--listen', '127.0.0.1:0', line], {
    env: { PATH: process.env['PATH'], HOME: home, XDG_STATE_HOME: home },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  let stdout = ''
  for await (const text of child.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    stdout += String(text)
    if (stdout.includes('"listen"')) break
  }
  const port = Number(/"listen":"127\.0\.0\.1:(\d+)"/.exec(stdout)?.[1])
  child.stdout.destroy()
  // Each connection fails, and is told of to nobody.
  for (let times = 0; times < 3; times++) {
    await new Promise((resolve) => connect(port, '127.0.0.1').on('error', resolve).on('close', resolve))
  }
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  expect(await exit).toEqual([0, null])
  expect(stderr).toBe('')
})
