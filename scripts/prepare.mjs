// npm runs this after it has installed the dependencies of a clone, and before it packs: so a package that is installed from a
// git address, a folder or a tarball has what is built. It builds only if that is missing or of other sources.
import { existsSync } from 'node:fs'
import { build, isBuilt, root } from './setup.mjs'

if (process.env.POSTERN_SETUP === undefined && !isBuilt()) {
  // Without the tools, as after `npm ci --omit=dev`, nothing can be built; scripts/prepack.mjs sees to it that no package lacks it.
  if (existsSync(`${root}node_modules/typescript`)) await build()
  else console.error('postern: not built, as the development dependencies are not installed; npm run build does both')
}
