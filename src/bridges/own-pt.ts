/** The PT of this package as a program, wherever the application runs: under Node, and in Electron, which is a Node as well. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { PtError } from '../error.ts'

/** The path is the same from src/bridges and from dist/bridges. */
const main = new URL('../../dist/cli/postern.cjs', import.meta.url)

/**
 * Returns the `exec` for `postern pt` with the interpreter of this process, so that neither `postern` nor `node` has to be in PATH:
 *
 *     await using bridge = await openBridge(line, { exec: ownPt() })
 *     await launchServer({ exec: ownPt('--log-level', 'info'), … })
 *
 * `args` are options of `postern pt`. In Electron the parent sets ELECTRON_RUN_AS_NODE for it. Throws PT_EXEC if the files of
 * the package are not there, as in a bundle: keep `postern` out of it.
 */
export function ownPt(...args: readonly string[]): string[] {
  if (main.protocol !== 'file:' || !existsSync(main)) {
    throw new PtError(
      'PT_EXEC',
      'the program of postern is not beside its library; leave the package out of the bundle',
    )
  }
  return [process.execPath, fileURLToPath(main), 'pt', ...args]
}
