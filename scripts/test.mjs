// npm test: installs and builds what is missing, then runs every test. Arguments go to vitest.
import { build, install, root, run } from './setup.mjs'

install()
build()
console.log('Running the tests …')
// --long (npm run test:long): every mutant meets every probe of the checker, which takes minutes.
const long = process.argv.includes('--long')
const args = process.argv.slice(2).filter((arg) => arg !== '--long')
const env = { ...process.env, ...(long && { POSTERN_LONG: '1' }) }
run(process.execPath, [`${root}node_modules/vitest/vitest.mjs`, 'run', ...args], { env })
