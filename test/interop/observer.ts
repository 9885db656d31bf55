/**
 * What an observer on the line sees of one connection of another program and of one of ours, by packets.
 *
 *     const theirs = await observe(context, 'ends.mjs', ['obfs4proxy'], { client: 'obfs4proxy', server: 'obfs4proxy', … })
 *     const ours = await observe(context, 'ends.mjs', ['postern'], { client: 'postern', server: 'postern', … })
 *     expect(ours).toEqual(theirs)
 *
 * A scene (observer/scenes/) is a function that runs in a network namespace of its own with packets of 1,500 bytes. It starts the
 * PTs, plays their applications, and returns what it has read off the packets. observer/stage.mjs says what it is given,
 * observer/packets.mjs what can be read off: who ends how and in which order, sizes of writes and of segments.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import type { TestContext } from 'vitest'
import { expect } from 'vitest'
import { peer, root } from '../support.ts'
import { run } from './program.ts'

export type Program = 'postern' | 'obfs4proxy' | 'lyrebird'

/** What scenes/ends.mjs returns, by the way in which the connection was ended. */
export type Endings = Readonly<Record<string, Ending>>

interface Ending {
  /** `client FIN`, `server RST` and the like, in order. */
  readonly ends: readonly string[]
  /** The connection is over before the other application does anything. */
  readonly answered: boolean
  /** Payload bytes that each side sends after the first end. */
  readonly after: { readonly client: number; readonly server: number }
}

const folder = join(root, 'test/interop/observer')
const namespace = ['--net', ...(process.getuid?.() === 0 ? [] : ['--map-root-user'])]

/**
 * Runs a scene and resolves with what it returns. `programs` are the PTs that the scene names; the test is skipped if one of
 * them, or what the observer needs, is missing.
 */
export async function observe<Seen>(
  context: TestContext,
  scene: string,
  programs: readonly Program[],
  options: object = {},
): Promise<Seen> {
  for (const tool of ['tcpdump', 'ip', 'unshare'] as const) peer(tool, context)
  if (spawnSync('unshare', [...namespace, 'true']).status !== 0)
    context.skip('needs a network namespace (unshare --net)')
  const commands = Object.fromEntries(programs.map((name) => [name, command(name, context)]))
  const input = JSON.stringify({ programs: commands, options })
  const stage = [process.execPath, join(folder, 'stage.mjs'), join(folder, 'scenes', scene), input]
  const { status, stdout, stderr } = await run('unshare', [...namespace, ...stage])
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return JSON.parse(stdout) as Seen
}

function command(program: Program, context: TestContext): string[] {
  if (program !== 'postern') return [peer(program, context)]
  return [process.execPath, join(root, 'dist/cli/main.js'), 'pt']
}
