/** Under every runtime a request goes through the bridge or nowhere: no name is looked up, and the failure says why. */
import { execFile, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { TestContext } from 'vitest'
import { expect, test } from 'vitest'
import { peer, root, tempDir } from '../support.ts'
import { ownPt } from '../bridges/bridges.ts'

/** Inside the package, where its name leads to what was built. */
const folder = join(root, 'dist/test-runtimes')

/** In the namespace there is nothing but loopback, and the only name server is the fixture's. */
const script = `ip link set lo up && mount --bind "$1" /etc/resolv.conf && shift && exec "$@"`

async function run(program: readonly string[], context: TestContext): Promise<{ lines: string[]; lookedUp: string[] }> {
  const possible = spawnSync('unshare', ['--net', '--mount', 'true']).status === 0
  if (!possible) context.skip('needs a network namespace of its own (unshare --net --mount)')
  mkdirSync(folder, { recursive: true })
  for (const name of ['without-lookups.mjs', 'runtime-program.mjs']) {
    copyFileSync(`${root}test/fixtures/app/${name}`, join(folder, name))
  }
  const resolver = join(tempDir(), 'resolv.conf')
  writeFileSync(resolver, 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n')
  const harness = [
    process.execPath,
    join(folder, 'without-lookups.mjs'),
    JSON.stringify(ownPt),
    `${root}test/fixtures/app`,
    ...program,
  ]
  const args = ['--net', '--mount', 'sh', '-c', script, 'sh', resolver, ...harness, join(folder, 'runtime-program.mjs')]
  const { stdout } = await promisify(execFile)('unshare', args)
  const lines = stdout.trimEnd().split('\n')
  return { lines, lookedUp: JSON.parse(lines.pop() ?? '') as string[] }
}

test('Node sends every request through the bridge, and looks no name of it up', async (context) => {
  expect(await run([process.execPath], context)).toEqual({
    lines: [
      'global-fetch: GET global-fetch.looked-up.example',
      'bridge-fetch: GET bridge-fetch.looked-up.example',
      'bridge-fetch-of-request: POST bridge-fetch-of-request.looked-up.example',
      'https-agent: GET https-agent.looked-up.example',
      'agent: GET agent.looked-up.example',
      'connect-bridge: GET connect-bridge.looked-up.example',
      'directly: failed',
    ],
    lookedUp: ['directly.looked-up.example'],
  })
})

test('Bun is refused any fetch with PT_RUNTIME, and looks no name up', async (context) => {
  expect(await run([peer('bun', context)], context)).toEqual({
    lines: [
      'global-fetch: PT_RUNTIME',
      'bridge-fetch: PT_RUNTIME',
      'bridge-fetch-of-request: PT_RUNTIME',
      'https-agent: GET https-agent.looked-up.example',
      'agent: GET agent.looked-up.example',
      'connect-bridge: GET connect-bridge.looked-up.example',
      expect.stringMatching(/^directly: /),
    ],
    lookedUp: ['directly.looked-up.example'],
  })
})

test('Deno has bridgeFetch, and is refused a dispatcher for its own fetch', async (context) => {
  expect(await run([peer('deno', context), 'run', '--allow-all'], context)).toEqual({
    lines: [
      'global-fetch: PT_RUNTIME',
      'bridge-fetch: GET bridge-fetch.looked-up.example',
      'bridge-fetch-of-request: POST bridge-fetch-of-request.looked-up.example',
      'https-agent: GET https-agent.looked-up.example',
      'agent: GET agent.looked-up.example',
      'connect-bridge: GET connect-bridge.looked-up.example',
      'directly: failed',
    ],
    lookedUp: ['directly.looked-up.example'],
  })
})
