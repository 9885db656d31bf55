/** A SOCKS server for strangers on a machine with global addresses: it leads to the Internet, and not to the machine. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'vitest'
import { expect, test } from 'vitest'
import { root, tempDir } from '../support.ts'

const fixtures = `${root}test/fixtures/app`
const NOT_ALLOWED = 2

const hosts = `127.0.0.1 localhost
8.9.10.11 own.example
127.0.0.1 both.example
8.9.10.11 both.example
127.0.0.1 mixed.example
1.2.3.4 mixed.example
`

/** What a client gets that asks a server with these rules for port 5432 of each target. */
function askFor(
  targets: readonly string[],
  rules: readonly string[],
  flags: readonly string[],
  context: TestContext,
): unknown {
  const possible = spawnSync('unshare', ['--net', '--mount', 'true']).status === 0
  if (!possible) context.skip('needs namespaces of its own (unshare --net --mount)')
  const dir = tempDir()
  writeFileSync(join(dir, 'hosts'), hosts)
  const command = [process.execPath, `${fixtures}/ask-socks.mjs`, `${root}dist/cli/main.js`]
  const { stdout, stderr } = spawnSync(
    'unshare',
    [
      '--net',
      '--mount',
      'sh',
      `${fixtures}/own-machine.sh`,
      dir,
      ...command,
      JSON.stringify(rules),
      JSON.stringify(targets),
      ...flags,
    ],
    { encoding: 'utf8', timeout: 90_000 },
  )
  if (stdout === '') throw new Error(stderr)
  return JSON.parse(stdout)
}

const toItself = [
  '8.9.10.11',
  '2a00:1234::1',
  '::ffff:8.9.10.11',
  '9.9.9.7',
  '8.50.0.1',
  '127.0.0.1',
  'own.example',
  'both.example',
]
const toNeighbours = ['8.50.0.7']
const toTheInternet = ['1.2.3.4', 'mixed.example']

test.for<[rules: string[]]>([[['*:*']], [['0.0.0.0/0:*', '[::/0]:*', '*:*']], [['8.0.0.0/8:*', '9.0.0.0/8:*', '*:*']]])(
  'with %j a client reaches the Internet, and neither the server by any of its addresses nor its neighbours',
  { timeout: 100_000 },
  ([rules], context) => {
    const refused = [...toItself, ...toNeighbours].map((target) => [target, NOT_ALLOWED])
    const reached = toTheInternet.map((target) => [target, 'reached'])
    expect(askFor([...toItself, ...toNeighbours, ...toTheInternet], rules, [], context)).toEqual(
      Object.fromEntries([...refused, ...reached]),
    )
  },
)

test(
  'a rule that names the server’s address, or the subnet that it stands in, is obeyed',
  { timeout: 100_000 },
  (context) => {
    const rules = ['8.9.10.11:5432', '[2a00:1234::1]:*', '8.50.0.0/24:*', '9.9.9.7:*']
    expect(askFor(['8.9.10.11', '2a00:1234::1', '9.9.9.7', '8.50.0.7', '8.50.0.1'], rules, [], context)).toEqual({
      '8.9.10.11': 'reached',
      '2a00:1234::1': 'reached',
      '9.9.9.7': 'reached',
      '8.50.0.7': 'reached',
      '8.50.0.1': NOT_ALLOWED,
    })
  },
)

test(
  'the public address of a server behind a NAT is its own, given as an address or as a name',
  { timeout: 100_000 },
  (context) => {
    const rules = ['*:*']
    expect(askFor(['1.2.3.4'], rules, ['--public-address', '1.2.3.4'], context)).toEqual({ '1.2.3.4': NOT_ALLOWED })
    expect(askFor(['1.2.3.4', 'mixed.example'], rules, ['--public-address', 'mixed.example'], context)).toEqual({
      '1.2.3.4': NOT_ALLOWED,
      'mixed.example': NOT_ALLOWED,
    })
  },
)
