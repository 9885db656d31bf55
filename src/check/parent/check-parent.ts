/**
 * Checks a parent: it is started again and again, launches a program of ours as its PT, and every probe judges what it does.
 *
 *     const report = await checkParent({ exec: ['my-app', '--pt', '{pt}'] })
 */
import { fileURLToPath } from 'node:url'
import { PtError } from '../../error.ts'
import type { Environment } from '../../ipc/index.ts'
import { withoutPtVariables } from '../../ipc/index.ts'
import { absolute } from '../pt/check-pt.ts'
import type { RunOptions } from '../run.ts'
import { interruptible, runProbes } from '../run.ts'
import type { Report } from '../verdict.ts'
import { parentProbes } from './probes/index.ts'
import type { ParentSubject } from './parent-lab.ts'
import { ParentLab } from './parent-lab.ts'

/** The options of checkParent and parentCases. */
export interface CheckParentOptions extends RunOptions {
  /** The parent and its arguments: `{pt}` in them is the path of the PT to launch, `{dir}` an empty folder of its own. */
  readonly exec: readonly string[]
  /** The signal that makes it end. Default SIGTERM. */
  readonly stop?: 'SIGTERM' | 'SIGINT'
  /** What it inherits; TOR_PT_ variables in it are left out. Default: PATH alone. */
  readonly env?: Environment
  /** How long it may take to launch its PT, in milliseconds. Default 20,000. */
  readonly patience?: number
  /** Node, for the PT. Default: the one in PATH. */
  readonly node?: string
  /** The program that stands for the PT, if it is not beside this one. */
  readonly standIn?: string
}

/** Resolves with what the probes found out. Rejects with PT_EXEC if there is no `{pt}` in `exec`, and with PT_LAUNCH if it launches no PT. */
export async function checkParent(options: CheckParentOptions): Promise<Report> {
  return await interruptible(options.signal, () => check(options))
}

async function check(options: CheckParentOptions): Promise<Report> {
  const start = performance.now()
  const date = new Date().toISOString()
  if (!options.exec.some((word) => word.includes('{pt}'))) {
    throw new PtError('PT_EXEC', 'the command says nowhere {pt}, which stands for the PT that the parent is to launch')
  }
  const subject: ParentSubject = {
    command: absolute(options.exec),
    env: withoutPtVariables(options.env ?? { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin' }),
    node: options.node ?? 'node',
    standIn: options.standIn ?? fileURLToPath(new URL('stand-in.js', import.meta.url)),
    patience: options.patience ?? 20_000,
    stop: options.stop ?? 'SIGTERM',
    evidence: new Map(),
    signal: options.signal,
  }
  const { role, transports } = await firstLaunch(subject)
  const { results, skipped } = await runProbes(parentProbes(role), () => new ParentLab(subject), options)
  const duration = Math.round(performance.now() - start)
  return {
    subject: 'parent',
    title: options.title ?? '',
    command: options.exec,
    transports: { [role]: transports[0] ?? '' },
    date,
    duration,
    results,
    skipped,
    absent: [],
  }
}

async function firstLaunch(subject: ParentSubject): Promise<{ role: 'client' | 'server'; transports: string[] }> {
  await using lab = new ParentLab(subject)
  try {
    const { pt } = await lab.session()
    return { role: pt.role, transports: pt.transports }
  } catch (error) {
    throw new PtError('PT_LAUNCH', (error as Error).message, { cause: error })
  }
}
