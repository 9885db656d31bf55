/**
 * npm run drift: what has changed in programs that others wrote since we last looked at them. It prints, and fails for none of
 * it: that a peer has moved on is news. Run `npm run peers` first.
 */
import { join } from 'node:path'
import { knownPeers, versionOf } from './known-peers.mjs'
import { debianFolder } from './peers.mjs'
import { build, install } from './setup.mjs'

install()
await build()
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
