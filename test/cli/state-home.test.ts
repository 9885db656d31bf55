/** Where a bridge's identity is kept is never a surprise: not the current folder, not /, not a folder named ~. */
import { chmodSync, existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { parseConfig } from '../../src/cli/tunnels/config-file.ts'
import { readFlags } from '../../src/cli/tunnels/schema/read.ts'
import { clientOptions } from '../../src/cli/tunnels/schema/tunnel-options.ts'
import { defaultStateDir } from '../../src/cli/tunnels/state-home.ts'
import { tempDir } from '../support.ts'
import { postern } from './postern.ts'

type Variables = Readonly<Record<'HOME' | 'XDG_STATE_HOME' | 'STATE_DIRECTORY', string | undefined>>

function withVariables<T>(given: Partial<Variables>, use: () => T): T {
  for (const name of ['HOME', 'XDG_STATE_HOME', 'STATE_DIRECTORY'] as const) vi.stubEnv(name, given[name])
  try {
    return use()
  } finally {
    vi.unstubAllEnvs()
  }
}

const server = ['server', 'obfs4', '--listen', '127.0.0.1:0', '--forward', '127.0.0.1:22']

const { stateDir, secretFile } = clientOptions

const stateDirOf = (given: string): string | undefined =>
  readFlags('client', { stateDir }, { 'state-dir': given }).stateDir

const secretOf = (file: string): string | undefined =>
  readFlags('client', { secretFile }, { 'secret-file': file }).secretFile

describe('the state directory of a server that names none', () => {
  test.each<[where: string, variables: Partial<Variables>]>([
    ['/var/lib/postern/ssh', { STATE_DIRECTORY: '/var/lib/postern', XDG_STATE_HOME: '/x', HOME: '/' }],
    ['/var/lib/a/ssh', { STATE_DIRECTORY: '/var/lib/a:/var/lib/b' }],
    ['/x/postern/ssh', { XDG_STATE_HOME: '/x', HOME: '/' }],
    ['/x/postern/ssh', { XDG_STATE_HOME: '/x', HOME: '', STATE_DIRECTORY: '' }],
    ['/tmp/.local/state/postern/ssh', { HOME: '/tmp', XDG_STATE_HOME: 'relative', STATE_DIRECTORY: 'relative' }],
  ])('is %s with %j', (where, variables) => {
    expect(withVariables(variables, () => defaultStateDir('ssh'))).toBe(where)
  })

  test.each(['/', '//', '/.', 'relative', '/nonexistent', '/dev/null'])(
    'is none with HOME=%s: the error says --state-dir, and nothing is made',
    (home) => {
      const cwd = tempDir()
      const { status, stderr } = postern(server, { HOME: home }, { cwd })
      expect(status).toBe(/^\/(?:nonexistent|dev)/.test(home) ? 1 : 2)
      expect(existsSync('/nonexistent')).toBe(false)
      expect(stderr).toContain('--state-dir')
      expect(readdirSync(cwd)).toEqual([])
    },
  )

  test('with an empty HOME is in the home that the system knows, and not in the current folder', () => {
    const [known, empty] = [undefined, ''].map((HOME) => withVariables({ HOME }, () => defaultStateDir('ssh')))
    expect(empty).toBe(known)
    expect(empty).toMatch(/^\//)
  })

  test.runIf(process.getuid?.() === 0)('is none for a user without a name and without HOME', () => {
    const { status, stderr } = postern(server, { HOME: undefined }, { cwd: '/', uid: 54_321 })
    // Where this user may not read the program it cannot say anything of ours.
    if (status === 2) expect(stderr).toMatch(/^postern: HOME is not set, .*--state-dir$/m)
    else expect(stderr).toMatch(/EACCES|Cannot find module/)
  })

  test('in a file is an error of its tunnel, which names the key', () => {
    const source = '[server.ssh]\ntransport = "obfs4"\nlisten = "127.0.0.1:0"\nforward = "127.0.0.1:22"\n'
    const read = (): unknown => parseConfig(source, '/t.toml')
    expect(() => withVariables({ HOME: '/' }, read)).toThrow(/^t\.toml:1: server\.ssh: the home is "\/", .* state-dir$/)
  })
})

describe('~ that no shell has expanded', () => {
  test('is the home, on the command line and in a file', () => {
    const home = tempDir()
    const variables = { HOME: home }
    expect(withVariables(variables, () => stateDirOf('~/pt'))).toBe(join(home, 'pt'))
    expect(withVariables(variables, () => stateDirOf('~'))).toBe(home)
    const rest = 'listen = "127.0.0.1:0"\nstate-dir = "~/pt"\n'
    const file = `[server.ssh]\ntransport = "obfs4"\nforward = "127.0.0.1:22"\n${rest}[client.ssh2]\nbridges = ["obfs3 127.0.0.1:1"]\n${rest}`
    const { tunnels } = withVariables(variables, () => parseConfig(file, '/etc/t.toml'))
    expect(tunnels.map((tunnel) => tunnel.stateDir)).toEqual([join(home, 'pt'), join(home, 'pt')])
  })

  test.each(['~other/pt', '~other'])('of somebody else (%s) is an error', (given) => {
    expect(() => stateDirOf(given)).toThrow('--state-dir: write the whole path in place of ~other')
  })

  test('is an error without a home, and a name that only begins so is none', () => {
    expect(() => withVariables({ HOME: '/' }, () => stateDirOf('~/pt'))).toThrow(
      '--state-dir: the home is "/"; write the whole path in place of ~',
    )
    expect(stateDirOf('./~/pt')).toBe(join(process.cwd(), '~', 'pt'))
    expect(stateDirOf('pt~')).toBe(join(process.cwd(), 'pt~'))
  })
})

test('PT_STATE: a state directory that cannot be made is an error in the words of the command line', () => {
  const dir = tempDir()
  writeFileSync(join(dir, 'file'), '')
  const { status, stderr } = postern([...server, '--state-dir', join(dir, 'file', 'pt')])
  expect(status).toBe(1)
  expect(stderr).toContain(
    `the state directory ${join(dir, 'file', 'pt')} cannot be used as a directory: a file is in its way; --state-dir names another`,
  )
  expect(stderr).not.toContain('TOR_PT')
})

describe('a secret file', () => {
  test.each([
    [0o600, false],
    [0o640, false],
    [0o400, false],
    [0o644, true],
    [0o602, true],
  ])('of mode %o: that every user can read it or change it is said: %s', (mode, said) => {
    const file = join(tempDir(), 'secret')
    writeFileSync(file, 'a long secret\n')
    chmodSync(file, mode)
    const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    try {
      expect(secretOf(file)).toBe('a long secret')
      const lines = written.mock.calls.map(([line]) => String(line))
      expect(lines).toEqual(
        said ? [`postern: every user of this machine can read or change ${file}: chmod 600 it\n`] : [],
      )
    } finally {
      written.mockRestore()
    }
  })
})
