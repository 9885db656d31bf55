// npm runs this before `npm pack` and `npm publish`. A package without what its exports and commands name is never made.
import { existsSync, readFileSync } from 'node:fs'
import { build, install, root } from './setup.mjs'

install()
await build()
const { bin, exports } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))
const missing = [...Object.values(bin), ...Object.values(exports)].filter((file) => !existsSync(`${root}${file}`))
if (missing.length > 0) {
  console.error(`postern: nothing is packed, as the build lacks ${missing.join(', ')}`)
  process.exitCode = 1
}
