/**
 * npm run drift: what has changed in programs that others wrote since we last looked at them. It prints, and fails for none of
 * it: that a peer has moved on is news. Run `npm run peers` first; browsers are Debian's chromium and firefox-esr.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { knownPeers, versionOf } from './known-peers.mjs'
import { debianFolder } from './peers.mjs'
import { build, install, root } from './setup.mjs'

/** The status of drift-browsers.mjs if a hello of ours breaks its own profile. */
const OWN_FAULT = 3

install()
await build()
compareBrowsers()
const { checkPt } = await import('../dist/check/index.js')

for (const [program, known] of Object.entries(knownPeers)) {
  const version = versionOf(program)
  if (version === undefined) {
    console.log(`${program}: is not here; npm run peers brings it`)
    continue
  }
  const news = version === known.version ? '' : `, and we last looked at ${known.version}`
  console.log(`${program} ${version}${news}`)
  const exec = [join(debianFolder, 'bin', program), ...(known.arguments ?? [])]
  const report = await checkPt({ exec, patience: 20_000, skipSlow: true, env: process.env, ...known.options })
  for (const role of ['client', 'server']) if (known[role] !== undefined) compare(report, role, known[role])
}

function compare(report, role, known) {
  for (const kind of ['broken', 'advice']) {
    const own = report.results.filter((result) => result.role === role && result.verdict === 'broken')
    const found = new Set(own.filter(({ level }) => (level === 'ADVICE') === (kind === 'advice')).map(({ id }) => id))
    const tell = (ids, word) => ids.length > 0 && console.log(`  ${role}, ${kind}: ${word} ${ids.join(', ')}`)
    tell(
      [...found].filter((id) => !known[kind].includes(id)),
      'new',
    )
    tell(
      known[kind].filter((id) => !found.has(id)),
      'no longer',
    )
  }
}

/** In a network of their own, in which there is the loopback interface alone: browsers are in touch with nobody. */
function compareBrowsers() {
  const flags = process.getuid() === 0 ? '-n' : '-rn'
  const command = [
    'sh',
    '-c',
    'ip link set lo up && exec "$0" "$@"',
    process.execPath,
    `${root}scripts/drift-browsers.mjs`,
  ]
  const { status, error } = spawnSync('unshare', [flags, ...command], { stdio: 'inherit' })
  if (error !== undefined) console.log(`browsers: not looked at, as there is no unshare: ${error.message}`)
  else if (status === OWN_FAULT) process.exitCode = 1
  else if (status !== 0) console.log('browsers: not looked at, as there is no network of their own to be had')
}
