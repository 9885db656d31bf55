// npm test: installs and builds what is missing, then runs every test. Arguments go to vitest.
import { build, install, root, run } from './setup.mjs'

install()
await build()
console.log('Running the tests …')
run(process.execPath, [`${root}node_modules/vitest/vitest.mjs`, 'run', ...process.argv.slice(2)])
