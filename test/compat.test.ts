/** What version 0.1 wrote, accepted and exported still works, or CHANGELOG.md says what takes its place. */
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import {
  connectBridge,
  createBridgeServer,
  formatAddress,
  launchClient,
  launchServer,
  ownPt,
  parseBridgeLine,
} from 'postern'
import { readExactly } from 'postern/io'
import { transportCases } from 'postern/testing'
import type { Transport } from 'postern/transport'
import { describe, expect, onTestFinished, test } from 'vitest'
import { exportedNames, publicEntries } from '../scripts/api.mjs'
import { textOf } from '../scripts/titles.mjs'
import { root, tempDir } from './support.ts'

const fixtures = join(root, 'test/fixtures/v0.1')
const postern = [process.execPath, join(root, 'dist/cli/main.js')] as const

/** A copy of what version 0.1 has written, with the rights of its files; an empty folder if it wrote nothing. */
function copyOf(name: string): string {
  const folder = tempDir()
  if (existsSync(join(fixtures, name))) cpSync(join(fixtures, name), folder, { recursive: true })
  for (const file of readdirSync(folder)) chmodSync(join(folder, file), 0o600)
  return folder
}

describe('a state directory of 0.1', () => {
  test.each(['obfs4', 'scramblesuit'])(
    '%s: the bridge line is the same, and its clients connect',
    async (transport) => {
      const line = readFileSync(join(fixtures, transport, 'line.txt'), 'utf8').trim()
      const server = await createBridgeServer(
        {
          exec: ownPt(),
          stateDir: copyOf(`${transport}/server`),
          transports: [{ name: transport, bindAddress: '127.0.0.1:0' }],
        },
        (conn) => conn.end('hello'),
      )
      onTestFinished(async () => void (await server.stop()))
      const [now = ''] = server.bridgeLines('127.0.0.1')
      expect([...parseBridgeLine(now).args]).toEqual([...parseBridgeLine(line).args])
      const old = line.replace(/127\.0\.0\.1:\d+/, parseBridgeLine(now).address)
      const conn = await connectBridge(old, { stateDir: copyOf(`${transport}/client`) })
      expect(String(await readExactly(conn, 5))).toBe('hello')
      conn.destroy()
    },
  )
})

test('a file of tunnels of 0.1 with each of its keys is read', () => {
  const folder = copyOf('tunnels')
  const run = spawnSync(postern[0], [postern[1], 'run', '--check', join(folder, 'tunnels.toml')], { encoding: 'utf8' })
  expect({ status: run.status, stderr: run.stderr }).toEqual({ status: 0, stderr: '' })
})

/** The options of each command of 0.1, as its --help had them. */
const flags = {
  client:
    'listen socks secret-file race exec proxy state-dir connect-timeout drain-timeout max-connections expose metrics show-addresses json help',
  server:
    'listen forward allow public-address state-dir option exec drain-timeout max-connections metrics show-addresses json help',
  run: 'check show-addresses json help',
  bridge: 'file show-addresses json exec proxy timeout jobs help',
  pt: 'load transport socks4 log-level unsafe-logging help version',
  check:
    'client server transport peer args only skip-slow jobs patience title list strict verbose json junit html help version',
  demo: 'size transport help',
} as const

test.each(Object.entries(flags))('postern %s has each option of 0.1', (command, names) => {
  const words = command === 'check' ? ['check', 'pt', '--help'] : [command, '--help']
  const help = execFileSync(postern[0], [postern[1], ...words], { encoding: 'utf8' })
  const all = names.split(' ')
  expect(all.filter((name) => !new RegExp(`--${name}(?![\\w-])`).test(help))).toEqual([])
})

test('a transport of 0.1 runs under --load, and passes the suite of today', async () => {
  const exec = ownPt('--load', join(fixtures, 'transport.mjs'))
  await using server = await launchServer({
    exec,
    stateDir: tempDir(),
    transports: [{ name: 'flip', bindAddress: '127.0.0.1:0' }],
    onConnection: ({ conn }) => conn.end('hello'),
  })
  await using client = await launchClient({ exec, stateDir: tempDir(), transports: ['flip'] })
  const conn = await client.connect('flip', formatAddress(server.methods.get('flip')!.address))
  expect(String(await readExactly(conn, 5))).toBe('hello')
  conn.destroy()
})

describe('a transport of 0.1 passes the suite', async () => {
  const { flipped: transport } = (await import(pathToFileURL(join(fixtures, 'transport.mjs')).href)) as {
    flipped: Transport
  }
  for (const { name, run } of transportCases(transport)) test(name, run)
})

test('each name that 0.1 exported is there, or CHANGELOG.md says in its table what takes its place', () => {
  const before = JSON.parse(readFileSync(join(fixtures, 'exports.json'), 'utf8')) as Record<string, string[]>
  const table = textOf('CHANGELOG.md')
    .split('\n')
    .filter((line) => line.startsWith('| `postern'))
    .join('\n')
  const gone = Object.entries(before).flatMap(([entry, names]) => {
    const source = publicEntries.find((one) => one.entry === entry)?.source
    const now = source === undefined ? [] : exportedNames(source)
    return names.filter((name) => !now.includes(name)).map((name) => `${entry}: ${name}`)
  })
  expect(gone.filter((one) => !table.includes(`| \`${one}\``))).toEqual([])
})
