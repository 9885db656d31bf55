/** Tests of programs that look for a public network: they run in a network namespace in which only loopback is up. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestContext } from 'vitest'
import { expect, onTestFinished } from 'vitest'
import { root } from '../support.ts'

/** True in the inner of the two runs of a test file. */
export const insideNamespace: boolean = process.env['POSTERN_NAMESPACE'] === '1'

/** Runs the tests of the file at `url` once more, inside; it needs root. What they say comes with a failure. */
export async function runInside(url: string, context: TestContext): Promise<void> {
  if (process.getuid?.() !== 0) return context.skip('needs root, for a network namespace')
  const file = relative(root, fileURLToPath(url))
  const vitest = [
    process.execPath,
    `${root}node_modules/vitest/vitest.mjs`,
    'run',
    '--config',
    'vitest.long.config.ts',
    file,
  ]
  const child = spawn('unshare', ['-n', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', ...vitest], {
    cwd: root,
    env: { ...process.env, POSTERN_NAMESPACE: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const [status] = (await once(child, 'close')) as [number]
  expect(status, said).toBe(0)
}
