/** The package as users get it: packed, installed, compiled against, and used with the clients that they have. */
import { execFile } from 'node:child_process'
import { copyFileSync, existsSync, lstatSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { root } from '../support.ts'

const run = promisify(execFile)
const home = mkdtempSync(join(tmpdir(), 'postern-package-'))
let tarball = ''

beforeAll(async () => {
  // What was built stays as it is, as other tests use it; the clone below is packed with scripts.
  const pack = ['pack', '--silent', '--ignore-scripts', '--pack-destination', home]
  const { stdout } = await run('npm', pack, { cwd: root })
  tarball = join(home, stdout.trim())
}, 300_000)

afterAll(() => rmSync(home, { recursive: true, force: true }))

/** A folder below the one of these tests, with a package.json and these packages. */
async function install(name: string, packages: readonly string[]): Promise<string> {
  const folder = mkdtempSync(join(home, `${name}-`))
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }')
  await run('npm', ['install', '--silent', '--no-audit', '--no-fund', ...packages], { cwd: folder })
  return folder
}

/** A clone of what is committed. */
async function clone(name: string): Promise<string> {
  const folder = join(home, name)
  await run('git', ['clone', '--quiet', '--depth', '1', `file://${root}`, folder])
  return folder
}

const loads = `const { openBridge } = await import('postern'); const { bridgeFetch } = await import('postern/fetch')
console.log(typeof openBridge, typeof bridgeFetch)`

async function expectUsable(folder: string): Promise<void> {
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', loads], { cwd: folder })
  expect(stdout).toBe('function function\n')
  const { stdout: version } = await run(join(folder, 'node_modules/.bin/postern'), ['--version'])
  expect(version).toMatch(/^postern \d/)
}

describe('installed', () => {
  test('from a tarball: usable, and with no more beside it than what it depends on', async () => {
    const folder = await install('tarball', [tarball])
    await expectUsable(folder)
    const lock = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')) as { packages: object }
    expect(Object.keys(lock.packages).toSorted()).toEqual([
      '',
      'node_modules/@noble/ciphers',
      'node_modules/@noble/curves',
      'node_modules/@noble/hashes',
      'node_modules/@noble/post-quantum',
      'node_modules/fzstd',
      'node_modules/postern',
      'node_modules/undici',
    ])
    const tunnels = join(folder, 'tunnels.toml')
    writeFileSync(tunnels, '[client.a]\nlisten = "127.0.0.1:0"\nbridges = ["obfs3 192.0.2.1:1"]\n')
    await run(join(folder, 'node_modules/.bin/postern'), ['run', '--check', tunnels])
  })

  test('from a git address: it is built on the way', async () => {
    await expectUsable(await install('git', [`git+file://${root}`]))
  }, 300_000)

  test('for the whole machine, from a tarball: a copy and no link into a home', async () => {
    const prefix = join(home, 'prefix')
    await run('npm', ['install', '--silent', '--global', '--prefix', prefix, tarball])
    expect(lstatSync(join(prefix, 'lib/node_modules/postern')).isSymbolicLink()).toBe(false)
    const { stdout } = await run(join(prefix, 'bin/postern'), ['--version'])
    expect(stdout).toMatch(/^postern \d/)
  })

  test('in a clone: npm ci builds once, npm pack makes a whole package, and without the tools neither breaks', async () => {
    const folder = await clone('clone')
    await run('npm', ['ci', '--silent', '--no-audit', '--no-fund'], { cwd: folder })
    expect(existsSync(join(folder, 'dist/index.js'))).toBe(true)
    const { stdout } = await run('npm', ['pack', '--silent'], { cwd: folder })
    const { stdout: files } = await run('tar', ['tzf', stdout.trim()], { cwd: folder })
    expect(files.split('\n')).toEqual(expect.arrayContaining(['package/dist/index.js', 'package/dist/cli/postern.cjs']))
    const bare = await clone('bare')
    await run('npm', ['ci', '--silent', '--omit=dev', '--no-audit', '--no-fund'], { cwd: bare })
    expect(existsSync(join(bare, 'dist'))).toBe(false)
  }, 300_000)
})

describe('compiled without skipLibCheck', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await install('types', [
      tarball,
      '@types/node@20',
      'typescript-5@npm:typescript@5.9',
      'typescript-7@npm:typescript@7.0.2',
    ])
    for (const name of ['types.ts', 'dispatcher.ts'])
      copyFileSync(`${root}test/fixtures/clients/${name}`, join(folder, name))
  }, 300_000)

  const nodenext = ['--module', 'nodenext']
  const bundler = ['--module', 'esnext', '--moduleResolution', 'bundler']
  const ways = [
    { how: 'nodenext, with the DOM', args: [...nodenext, 'types.ts'] },
    { how: 'bundler, with the DOM', args: [...bundler, 'types.ts'] },
    { how: 'nodenext, without the DOM', args: [...nodenext, '--lib', 'es2023', 'types.ts', 'dispatcher.ts'] },
  ]
  // The types of another Node matter as they bring those of another fetch.
  const table = ['20', '24'].flatMap((node) =>
    ['typescript-5', 'typescript-7'].flatMap((compiler) =>
      ways
        .slice(0, node === '20' ? 3 : 1)
        .map(({ how, args }) => ({ title: `types of Node ${node}, ${compiler}, ${how}`, node, compiler, args })),
    ),
  )

  test.each(table)(
    '$title',
    async ({ node, compiler, args }) => {
      const { version } = JSON.parse(readFileSync(join(folder, 'node_modules/@types/node/package.json'), 'utf8')) as {
        version: string
      }
      if (!version.startsWith(`${node}.`)) {
        await run('npm', ['install', '--silent', '--no-audit', '--no-fund', `@types/node@${node}`], { cwd: folder })
      }
      const strict = ['--noEmit', '--strict', '--target', 'es2022', '--skipLibCheck', 'false', '--types', 'node']
      const tsc = join(folder, 'node_modules', compiler, 'bin/tsc')
      const result = run(process.execPath, [tsc, ...strict, ...args], { cwd: folder })
      const { stdout } = await result.catch((error: unknown) => error as { stdout: string })
      expect(stdout).toBe('')
    },
    300_000,
  )
})

describe('clients of npm reach their servers through a bridge', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await install('clients', [
      tarball,
      'pg@8.23.1',
      '@electric-sql/pglite@0.5.14',
      '@electric-sql/pglite-socket@0.2.17',
      'mysql2@3.24.6',
      'nodemailer@10.6.1',
      'smtp-server@3.21.6',
      'ioredis@5.11.1',
      'ws@8.23.0',
      'mqtt@5.16.0',
      'aedes@1.2.0',
      'jsdom@29.1.1',
    ])
    copyFileSync(`${root}test/fixtures/clients/program.mjs`, join(folder, 'program.mjs'))
  }, 300_000)

  test.each(['pg', 'mysql2', 'nodemailer', 'ioredis', 'ws', 'mqtt', 'jsdom'])(
    '%s',
    async (name) => {
      const pt = JSON.stringify([process.execPath, join(folder, 'node_modules/postern/dist/cli/main.js'), 'pt'])
      const { stdout } = await run(process.execPath, [join(folder, 'program.mjs'), name, pt], {
        cwd: folder,
        timeout: 60_000,
      })
      expect(stdout.trim()).toBe('42')
    },
    300_000,
  )
})
