// npm start: installs and builds what is missing, then shows the whole of Postern at work on this machine alone.
import { build, install, root, run } from './setup.mjs'

install()
await build()
run(process.execPath, [`${root}dist/cli/main.js`, 'demo', ...process.argv.slice(2)])
