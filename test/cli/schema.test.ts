/** Options of tunnels, each declared once: flags, keys of a file, and help come from the same rows. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { describe, expect, test } from 'vitest'
import { options as client } from '../../src/cli/client.ts'
import { options as server } from '../../src/cli/server.ts'
import { parseConfig } from '../../src/cli/tunnels/config-file.ts'
import { helpOf } from '../../src/cli/tunnels/schema/help.ts'
import { flagNaming } from '../../src/cli/tunnels/schema/naming.ts'
import type { OptionsOf } from '../../src/cli/tunnels/schema/option.ts'
import { flagConfig, readFlags } from '../../src/cli/tunnels/schema/read.ts'
import { clientOptions, serverOptions } from '../../src/cli/tunnels/schema/tunnel-options.ts'
import type { TunnelSpec } from '../../src/cli/tunnels/spec.ts'
import { clientSpec, serverSpec } from '../../src/cli/tunnels/spec.ts'
import { formatBridgeLine } from '../../src/app/index.ts'
import { tempDir } from '../support.ts'
import { postern, ready, start } from './postern.ts'

const cert = 'A'.repeat(70)
const line = `obfs4 127.0.0.1:9 cert=${cert} iat-mode=0`

function valuesOf<V>(options: OptionsOf<V>, argv: readonly string[]): V {
  const config = { args: [...argv], options: flagConfig(options), allowPositionals: true } as const
  const { values, positionals } = parseArgs(config)
  const words = { LINE: positionals.length === 0 ? undefined : positionals, TRANSPORT: positionals[0] }
  return readFlags('test', options, { ...values, ...words })
}

/** A specification as plain data. */
function plain(spec: TunnelSpec): Record<string, unknown> {
  const { bridges, ...rest } = spec as TunnelSpec & { bridges?: never[] }
  return {
    ...(JSON.parse(JSON.stringify(rest)) as Record<string, unknown>),
    ...(bridges === undefined ? {} : { bridges: bridges.map((bridge) => formatBridgeLine(bridge)) }),
  }
}

const fromFlags = {
  client: (argv: readonly string[]) => clientSpec('x', valuesOf(clientOptions, argv), flagNaming(clientOptions)).spec,
  server: (argv: readonly string[]) => serverSpec('x', valuesOf(serverOptions, argv), flagNaming(serverOptions), 'x'),
}

/** Every flag and every key that version 0.1 had, and what they came to. */
const old = {
  client: {
    flags: [
      '--listen=127.0.0.1:9000',
      '--race',
      '--exec=/bin/sh -c x',
      '--proxy=socks5://127.0.0.1:1080',
      '--state-dir=/var/lib/x',
      '--connect-timeout=7',
      '--drain-timeout=8',
      '--max-connections=9',
      '--socks',
      '--secret-file=SECRET',
      '--expose',
      line,
    ],
    file: `[client.x]
      listen = "127.0.0.1:9000"
      strategy = "race"
      exec = "/bin/sh -c x"
      proxy = "socks5://127.0.0.1:1080"
      state-dir = "/var/lib/x"
      connect-timeout = 7
      drain-timeout = 8
      max-connections = 9
      socks = true
      secret-file = "SECRET"
      expose = true
      bridges = ["${line}"]`,
    spec: {
      kind: 'client',
      name: 'x',
      listen: { host: '127.0.0.1', port: 9000 },
      strategy: 'race',
      exec: ['/bin/sh', '-c', 'x'],
      proxy: 'socks5://127.0.0.1:1080',
      stateDir: '/var/lib/x',
      connectTimeout: 7_000,
      drainTimeout: 8_000,
      maxConnections: 9,
      socks: true,
      secretFile: 'a long secret',
      expose: true,
      halfOpen: false,
      isolate: false,
      bridges: [line],
    },
  },
  server: {
    flags: [
      'obfs4',
      '--listen=0.0.0.0:443',
      '--forward=socks',
      '--allow=*:443',
      '--allow=10.0.0.0/8:22',
      '--public-address=198.51.100.7:8443',
      '--state-dir=/var/lib/x',
      '--option=iat-mode=1',
      '--drain-timeout=8',
      '--max-connections=9',
    ],
    file: `[server.x]
      transport = "obfs4"
      listen = "0.0.0.0:443"
      forward = "socks"
      allow = ["*:443", "10.0.0.0/8:22"]
      public-address = "198.51.100.7:8443"
      state-dir = "/var/lib/x"
      options = { iat-mode = "1" }
      drain-timeout = 8
      max-connections = 9`,
    spec: {
      kind: 'server',
      name: 'x',
      transport: 'obfs4',
      listen: { host: '0.0.0.0', port: 443 },
      forward: { type: 'socks', allow: { rules: ['*:443', '10.0.0.0/8:22'] } },
      publicAddress: { host: '198.51.100.7', port: 8443 },
      stateDir: '/var/lib/x',
      options: { 'iat-mode': '1' },
      drainTimeout: 8_000,
      idleTimeout: 0,
      maxConnections: 9,
      halfOpen: false,
      isolate: false,
    },
  },
}

describe.each(['client', 'server'] as const)('the options of a %s in version 0.1', (kind) => {
  const withSecret = (text: string): string => {
    const file = join(tempDir(), 'secret')
    writeFileSync(file, 'a long secret\n', { mode: 0o600 })
    return text.replace('SECRET', file)
  }
  const { flags, file, spec } = old[kind]

  test('mean the same as flags', () => {
    expect(plain(fromFlags[kind](flags.map(withSecret)))).toEqual(spec)
  })

  test('mean the same as keys of a file', () => {
    const { tunnels } = parseConfig(withSecret(file), join(tempDir(), 't.toml'))
    expect(tunnels.map(plain)).toEqual([spec])
  })
})

describe('half-open', () => {
  test('is a flag and a key, of a client and of a server, and false without either', () => {
    const forward = ['obfs4', '--listen=127.0.0.1:0', '--forward=127.0.0.1:1', '--state-dir=/x']
    expect(fromFlags.client([line, '--half-open']).halfOpen).toBe(true)
    expect(fromFlags.client([line]).halfOpen).toBe(false)
    expect(fromFlags.server([...forward, '--half-open']).halfOpen).toBe(true)
    const source = (value: boolean): string =>
      `[client.a]\nlisten = "127.0.0.1:0"\nbridges = ["${line}"]\nhalf-open = ${value}\n` +
      `[server.b]\ntransport = "obfs4"\nlisten = "127.0.0.1:0"\nforward = "127.0.0.1:1"\nstate-dir = "x"\nhalf-open = ${value}\n`
    for (const value of [true, false]) {
      expect(parseConfig(source(value), '/t.toml').tunnels.map(({ halfOpen }) => halfOpen)).toEqual([value, value])
    }
  })
})

test('a change of any value in a file is a change of its tunnel, also one of the allow-list or of a bridge', () => {
  const specOf = (source: string): string => JSON.stringify(parseConfig(source, '/t.toml').tunnels)
  const server = old.server.file
  const client = old.client.file.replace(/ *secret-file.*\n/, '')
  expect(specOf(server.replace('10.0.0.0/8:22', '10.0.0.0/8:23'))).not.toBe(specOf(server))
  expect(specOf(server.replace('iat-mode = "1"', 'iat-mode = "2"'))).not.toBe(specOf(server))
  expect(specOf(client.replace('iat-mode=0', 'iat-mode=1'))).not.toBe(specOf(client))
  expect(specOf(client)).toBe(specOf(client))
})

describe.each([
  ['client', client],
  ['server', server],
] as const)('postern %s --help', (command, options) => {
  test('has a line for each flag', () => {
    const { status, stdout } = postern([command, '--help'])
    expect(status).toBe(0)
    for (const flag of Object.keys(flagConfig(options))) expect(stdout).toMatch(new RegExp(`^  --${flag}\\b`, 'm'))
    for (const text of stdout.split('\n')) expect(text.length).toBeLessThanOrEqual(125)
  })
})

test('help breaks lines between words, and shows defaults', () => {
  const text = helpOf({ options: { drainTimeout: clientOptions.drainTimeout }, usage: 'Usage\n', exitStatus: 'End\n' })
  expect(text).toBe(
    'Usage\n\nOptions:\n  --drain-timeout S  seconds that connections have to end in after the tunnel was told to end (default 5)\n\nEnd\n',
  )
})

test('a state directory of version 0.1 gives the bridge line that it gave', async () => {
  const stateDir = join(tempDir(), 'pt')
  mkdirSync(stateDir, { mode: 0o700 })
  const state = {
    'node-id': '0f'.repeat(20),
    'private-key': 'a8'.repeat(32),
    'public-key': 'e5aa8c6fd9b1be2e5bd2f2d85d4a7cd8a6b9f2c7b66a3a4b1b5aa57e5bd5f24b',
    'drbg-seed': '01'.repeat(24),
    'iat-mode': 1,
  }
  writeFileSync(join(stateDir, 'obfs4_state.json'), JSON.stringify(state), { mode: 0o600 })
  const running = start('server', 'obfs4', '--listen=127.0.0.1:0', '--forward=127.0.0.1:9', `--state-dir=${stateDir}`)
  const { bridgeLine } = await ready(running, 'server')
  expect(bridgeLine).toMatch(/^obfs4 127\.0\.0\.1:\d+ cert=\S{70} iat-mode=1$/)
  const bytes = Buffer.from(`${/cert=(\S+)/.exec(bridgeLine)![1]!}==`, 'base64')
  expect(bytes.subarray(0, 20).toString('hex')).toBe(state['node-id'])
})
