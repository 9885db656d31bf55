// What a fresh clone needs before anything runs: dependencies as package-lock.json pins them, and the build.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../', import.meta.url))

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
  const lock = createHash('sha256')
    .update(readFileSync(`${root}package-lock.json`))
    .digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  console.log('Installing dependencies (npm ci) …')
  run('npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error'], { shell: process.platform === 'win32' })
  writeFileSync(stamp, lock)
}

export async function build() {
  console.log('Building …')
  rmSync(`${root}dist`, { recursive: true, force: true })
  run(process.execPath, [`${root}scripts/kernel.mjs`])
  const tsc = `${root}node_modules/typescript/bin/tsc`
  run(process.execPath, [tsc, '-p', 'tsconfig.json'])
  run(process.execPath, [tsc, '-p', 'tsconfig.examples.json'])
  const { bundle } = await import('./bundle.mjs')
  await bundle()
}
