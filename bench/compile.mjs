// The two C programs of the benchmark, compiled into a folder that is gone with the run.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const sources = fileURLToPath(new URL('load/', import.meta.url))
const RELAY = 'relay-pt.c'

/**
 * Compiles the load generator and the relay into `folder`. Throws an error that says what to install where there is no
 * C compiler, and one with the compiler's words where it fails.
 * @param {string} folder
 * @returns {{ loadgen: string, relay: string }} their paths
 */
export function compile(folder) {
  const compiler = findCompiler([process.env['CC'], 'cc', 'gcc', 'clang'])
  const loadgen = join(folder, 'loadgen')
  const relay = join(folder, 'relay-pt')
  const parts = readdirSync(sources).filter((name) => name.endsWith('.c') && name !== RELAY)
  translate(compiler, parts, loadgen)
  translate(compiler, [RELAY], relay)
  return { loadgen, relay }
}

/**
 * The first of `names` that can be run.
 * @param {readonly (string | undefined)[]} names
 * @returns {string}
 */
export function findCompiler(names) {
  const found = names.find((name) => name && spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0)
  if (found) return found
  throw new Error(
    'no C compiler was found: the load generator is a C program. Install one (Debian: apt install gcc libc6-dev) or name it in CC',
  )
}

function translate(compiler, files, program) {
  const flags = ['-O2', '-std=c11', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-o', program]
  const { status, stderr } = spawnSync(compiler, [...flags, ...files], { cwd: sources, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${compiler} cannot compile ${files.join(' ')}:\n${stderr}`)
}
