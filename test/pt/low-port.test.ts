/** Port 443 without its privilege, as below Debian's tor service; and the setting of the system that gives it to everybody. */
import { spawnSync } from 'node:child_process'
import type { TestContext } from 'vitest'
import { expect, test } from 'vitest'
import { executable, runChild, serverEnv } from './child.ts'

/** A network of its own, in which the first port that is free to all is set; then without the capability, even for root. */
const script = 'echo "$1" > /proc/sys/net/ipv4/ip_unprivileged_port_start && shift && exec "$@"'

function start(firstFreePort: number, context: TestContext): ReturnType<typeof runChild> {
  const without = ['setpriv', '--bounding-set=-net_bind_service']
  const possible = spawnSync('unshare', ['--net', ...without, 'true']).status === 0
  if (!possible) context.skip('needs a network namespace of its own (unshare --net) and setpriv')
  return runChild({
    command: [
      'unshare',
      '--net',
      'sh',
      '-c',
      script,
      'sh',
      `${firstFreePort}`,
      ...without,
      process.execPath,
      executable,
      'pt',
    ],
    env: serverEnv({ TOR_PT_SERVER_TRANSPORTS: 'obfs3', TOR_PT_SERVER_BINDADDR: 'obfs3-0.0.0.0:443' }),
  })
}

test('a port below 1024 that may not be opened is told with the page that has the cures', async (context) => {
  const pt = start(1024, context)
  expect(await pt.line('SMETHOD-ERROR obfs3')).toBe(
    'SMETHOD-ERROR obfs3 cannot listen on port 443 of the bind address: EACCES; ' +
      'ports below 1024 need a privilege, see "Under Debian\'s tor" in docs/operating.md',
  )
})

test('net.ipv4.ip_unprivileged_port_start=443 opens port 443 to a PT without any privilege', async (context) => {
  const pt = start(443, context)
  expect(await pt.line('SMETHOD')).toBe('SMETHOD obfs3 0.0.0.0:443')
})
