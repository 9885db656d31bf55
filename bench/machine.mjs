// Where and with what a run was made.
import { cpus, release, totalmem } from 'node:os'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { root } from '../scripts/setup.mjs'
import { versionOf as packagedVersionOf } from '../scripts/known-peers.mjs'
import { versionOf } from './candidates.mjs'

const GIB = 2 ** 30

/**
 * Lines for the head of a report.
 * @param {{ obfs4proxy: string, lyrebird: string }} options
 * @returns {Record<string, string>}
 */
export function describeMachine({ obfs4proxy, lyrebird }) {
  const cores = cpus()
  const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))
  return {
    date: new Date().toISOString().slice(0, 16).replace('T', ' ') + ' UTC',
    machine: `${cores.length} × ${cores[0]?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / GIB)} GiB`,
    system: `${process.platform} ${release()}`,
    node: process.version,
    postern: `${version} ${commit()}`.trim(),
    obfs4proxy: versionOf([obfs4proxy]) ?? 'missing',
    lyrebird: packagedVersionOf('lyrebird') ?? versionOf([lyrebird]) ?? 'missing',
  }
}

/** The commit, with a + where files differ from it. */
function commit() {
  const git = (...args) => spawnSync('git', args, { cwd: root, encoding: 'utf8' })
  const { status, stdout } = git('rev-parse', '--short', 'HEAD')
  if (status !== 0) return ''
  const changed = git('status', '--porcelain', '--', 'src', 'package.json').stdout.trim() !== ''
  return `(${stdout.trim()}${changed ? '+' : ''})`
}
