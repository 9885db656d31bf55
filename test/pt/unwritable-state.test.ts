/** A PT starts where nothing has to be written: what is forbidden costs the transports that cannot do without, and no others. */
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { tempDir } from '../support.ts'
import type { PtProcess } from './child.ts'
import { clientEnv, executable, runChild, serverEnv } from './child.ts'

/** Root of Linux makes mounts in a namespace of its own, and can start a PT that may not write everywhere. */
const asRoot = describe.runIf(process.getuid?.() === 0 && process.platform === 'linux')

const clientNames = 'obfs4,obfs3,obfs2,scramblesuit'

function client(command: readonly [string, ...string[]], stateDir: string): PtProcess {
  const env = clientEnv({ TOR_PT_CLIENT_TRANSPORTS: clientNames, TOR_PT_STATE_LOCATION: stateDir })
  return runChild({ command: [...command, process.execPath, executable, 'pt'], env })
}

function server(command: readonly [string, ...string[]], stateDir: string, names = 'obfs4,scramblesuit'): PtProcess {
  const bind = names.split(',').map((name) => `${name}-127.0.0.1:0`)
  const env = serverEnv({
    TOR_PT_SERVER_TRANSPORTS: names,
    TOR_PT_SERVER_BINDADDR: bind.join(','),
    TOR_PT_STATE_LOCATION: stateDir,
  })
  return runChild({ command: [...command, process.execPath, executable, 'pt'], env })
}

/** The lines that report transports, without ports. */
async function reports(pt: PtProcess, end = 'SMETHODS DONE'): Promise<string[]> {
  await pt.line(end)
  return pt
    .lines()
    .filter((line) => /^[CS]METHOD/.test(line))
    .map((line) => line.replace(/:\d+\b/, ''))
}

/** Runs what follows it without what lets root read and write everything. */
const withoutPrivileges = ['setpriv', '--inh-caps=-all', '--bounding-set=-all'] as const

/** Runs what follows it after the shell commands `setup`, in a mount namespace. */
const mounted = (setup: string): [string, ...string[]] => ['unshare', '-m', 'sh', '-ec', `${setup}; exec "$@"`, 'sh']

/** A state directory as a server leaves it, and what it said. */
async function usedStateDir(): Promise<{ dir: string; said: string[] }> {
  const dir = join(tempDir(), 'state')
  const pt = server(['env'], dir)
  const said = await reports(pt)
  pt.child.kill('SIGTERM')
  await pt.exit
  expect(said).toHaveLength(3)
  return { dir, said }
}

asRoot('a client', () => {
  const allStarted = [...clientNames.split(',').map((name) => `CMETHOD ${name} socks5 127.0.0.1`), 'CMETHODS DONE']

  test('starts all its transports in a directory that is not its own, and says that nothing is kept', async () => {
    const dir = tempDir()
    chmodSync(dir, 0o555)
    const pt = client(withoutPrivileges, dir)
    expect(await reports(pt, 'CMETHODS DONE')).toEqual(allStarted)
    expect(await pt.line('LOG')).toBe('LOG SEVERITY=notice MESSAGE="TOR_PT_STATE_LOCATION cannot be written: EACCES"')
  })

  test.each(['there', 'missing'])('starts them on a read-only file system, with the directory %s', async (name) => {
    const dir = tempDir()
    mkdirSync(join(dir, 'there'))
    const pt = client(mounted(`mount --bind ${dir} ${dir}; mount -o remount,bind,ro ${dir}`), join(dir, name))
    expect(await reports(pt, 'CMETHODS DONE')).toEqual(allStarted)
    expect(readdirSync(dir)).toEqual(['there'])
  })
})

asRoot('a server', () => {
  test.each([0o500, 0o555])('with its state in a directory of mode %o is the same bridge', async (mode) => {
    const { dir, said } = await usedStateDir()
    chmodSync(dir, mode)
    expect(await reports(server(withoutPrivileges, dir))).toEqual(said)
  })

  test('with its state on a read-only file system, or a full one, is the same bridge', async () => {
    const { dir, said } = await usedStateDir()
    // Something to tidy, and a note that is out of date.
    writeFileSync(join(dir, 'scramblesuit_replays'), `1 ${'0'.repeat(32)}\nhalf a li`)
    writeFileSync(join(dir, 'obfs4_bridgeline.txt'), 'old')
    const readOnly = mounted(`mount --bind ${dir} ${dir}; mount -o remount,bind,ro ${dir}`)
    const copy = join(tempDir(), 'copy')
    cpSync(dir, copy, { recursive: true })
    const full = mounted(
      `mount -t tmpfs -o size=32k none ${dir}; cp ${copy}/* ${dir}; head -c 65536 /dev/zero > ${dir}/filler || true`,
    )
    for (const command of [readOnly, full]) {
      const pt = server(command, dir)
      expect(await reports(pt)).toEqual(said)
      const warnings = pt.lines().filter((line) => line.startsWith('LOG SEVERITY=warning'))
      const code = command === full ? 'ENOSPC' : 'EROFS'
      expect(warnings).toContain(
        `LOG SEVERITY=warning MESSAGE="obfs4: state file obfs4_bridgeline.txt cannot be written (${code})"`,
      )
    }
  })

  test('that has to make its identity where nothing can be written says so, and the others start', async () => {
    const dir = tempDir()
    chmodSync(dir, 0o555)
    const pt = server(withoutPrivileges, dir, 'obfs4,obfs3')
    expect(await reports(pt)).toEqual([
      'SMETHOD-ERROR obfs4 state file obfs4_state.json cannot be written (EACCES)',
      'SMETHOD obfs3 127.0.0.1',
      'SMETHODS DONE',
    ])
  })

  test('whose state file alone is a mount, as obfs4proxy or a person wrote it, is the same bridge', async () => {
    const { dir, said } = await usedStateDir()
    const file = join(dir, 'obfs4_state.json')
    const source = join(tempDir(), 'state.json')
    writeFileSync(source, JSON.stringify(JSON.parse(readFileSync(file, 'utf8')), undefined, 2), { mode: 0o644 })
    const expected = [said[0], said[2]]
    const plain = `mount --bind ${source} ${file}`
    for (const setup of [plain, `${plain}; mount -o remount,bind,ro ${file}`]) {
      expect(await reports(server(mounted(setup), dir, 'obfs4'))).toEqual(expected)
    }
  })
})

test('two servers that start at once in a new directory say one bridge line, and the next one too', async () => {
  const dir = join(tempDir(), 'state')
  const both = [server(['env'], dir), server(['env'], dir)]
  const [first, second] = await Promise.all(both.map((pt) => reports(pt)))
  expect(first).toEqual(second)
  expect(first).toHaveLength(3)
  expect(await reports(server(['env'], dir))).toEqual(first)
})
