// What a fresh clone needs before anything runs: dependencies as package-lock.json pins them, and the build. What is said of
// the progress goes to stderr: `npm pack` has the name of its file on stdout.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../', import.meta.url))

/** What a command prints goes to stderr. */
const quietly = { stdio: ['inherit', 2, 2] }

/** Runs a command in the project's folder and ends this process with its status where it fails. */
export function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options })
  if (error) console.error(`${command}: ${error.message}`)
  if (status !== 0) process.exit(status ?? 1)
}

export function install() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19)) {
    console.error(`Postern needs Node 20.19 or newer; this is ${process.version}.`)
    process.exit(1)
  }
  const stamp = `${root}node_modules/.postern-lock`
  const lock = hashOf([`${root}package-lock.json`])
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  console.error('Installing dependencies (npm ci) …')
  run('npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error'], {
    ...quietly,
    shell: process.platform === 'win32',
    // The caller builds, so scripts/prepare.mjs does not.
    env: { ...process.env, POSTERN_SETUP: '1' },
  })
  writeFileSync(stamp, lock)
}

export async function build() {
  console.error('Building …')
  rmSync(`${root}dist`, { recursive: true, force: true })
  run(process.execPath, [`${root}scripts/kernel.mjs`], quietly)
  const tsc = `${root}node_modules/typescript/bin/tsc`
  run(process.execPath, [tsc, '-p', 'tsconfig.json'], quietly)
  run(process.execPath, [tsc, '-p', 'tsconfig.examples.json'], quietly)
  withoutThis()
  const { bundle } = await import('./bundle.mjs')
  await bundle()
  writeFileSync(inputsStamp, inputs())
}

/** What tsc writes for `using` looks for itself at the `this` of a script. A module has none, and bundlers warn of each. */
function withoutThis() {
  for (const file of readdirSync(`${root}dist`, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.js')) continue
    const text = readFileSync(`${root}dist/${file}`, 'utf8')
    const better = text.replaceAll(/= \(this && this\.__\w+\) \|\| /g, '= ')
    if (better !== text) writeFileSync(`${root}dist/${file}`, better)
  }
}

/** True if what was built is of the sources as they are. */
export function isBuilt() {
  return existsSync(inputsStamp) && readFileSync(inputsStamp, 'utf8') === inputs()
}

/** No file of the package: npm leaves out what begins with a dot here. */
const inputsStamp = `${root}dist/.inputs`

/** One hash of everything that a build reads. */
function inputs() {
  const folders = ['src', 'assembly', 'examples'].flatMap((folder) =>
    readdirSync(`${root}${folder}`, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name)),
  )
  const scripts = ['setup', 'kernel', 'bundle'].map((name) => `scripts/${name}.mjs`)
  const settings = ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.examples.json']
  return hashOf([...folders.sort(), ...[...scripts, ...settings].map((file) => `${root}${file}`)])
}

function hashOf(files) {
  const hash = createHash('sha256')
  for (const file of files) hash.update(file).update(readFileSync(file))
  return hash.digest('hex')
}
