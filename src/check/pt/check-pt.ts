/**
 * Checks a PT: which roles and transports it has, and then every probe against each role.
 *
 *     const report = await checkPt({ exec: ['obfs4proxy'], transport: 'obfs4' })
 *     exitStatus(report)             0: nothing that the draft demands is broken
 */
import { existsSync } from 'node:fs'
import { isAbsolute, resolve } from 'node:path'
import { PtError } from '../../error.ts'
import type { Environment } from '../../ipc/index.ts'
import { withoutPtVariables } from '../../ipc/index.ts'
import { discover, offers } from './discover.ts'
import { announces, plainStart } from './evidence.ts'
import { ptProbes } from './probes/index.ts'
import { PtLab } from './pt-lab.ts'
import type { RunOptions } from '../run.ts'
import { interruptible, runProbes } from '../run.ts'
import type { Subject } from './subject.ts'
import type { Report, Result, Role } from '../verdict.ts'

/** The options of checkPt and ptCases. */
export interface CheckPtOptions extends RunOptions {
  /** The program, found in PATH if it has no slash, and its arguments. */
  readonly exec: readonly string[]
  /** The roles that are checked. Default: those that it has. */
  readonly roles?: readonly Role[]
  /** The transport to try. Default: the first that it has of a list of known names. */
  readonly transport?: string | undefined
  /** Another program for the other end, for a PT that has one role only. It is not judged. */
  readonly peer?: readonly string[] | undefined
  /** Arguments that a client needs besides those of SMETHOD, as they go into SOCKS: `k=v;k=v`. */
  readonly args?: string | undefined
  /** Options that a server needs in TOR_PT_SERVER_TRANSPORT_OPTIONS, without the name of the transport: `k=v;k=v`. */
  readonly options?: string | undefined
  /** What the program inherits; TOR_PT_ variables in it are left out. Default: PATH alone. */
  readonly env?: Environment
  /** How long a start or an answer may take, in milliseconds. Default 10,000. */
  readonly patience?: number
}

const defaultPath = '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin'

/**
 * Runs the probes and resolves with what they found out; nothing that the program does makes it reject. Rejects with PT_EXEC
 * if `exec` is empty, and with PT_LAUNCH if it is no PT of the roles and the transport that were asked for.
 */
export async function checkPt(options: CheckPtOptions): Promise<Report> {
  return await interruptible(options.signal, () => check(options))
}

async function check(options: CheckPtOptions): Promise<Report> {
  const start = performance.now()
  const date = new Date().toISOString()
  const command = absolute(options.exec)
  if (command.length === 0) throw new PtError('PT_EXEC', 'exec names no program')
  const env = withoutPtVariables(options.env ?? { PATH: defaultPath })
  const { patience = 10_000, transport, roles = [], signal } = options
  const transports = await discover({
    command,
    env,
    patience,
    roles,
    transport,
    options: options.options ?? '',
    signal,
  })
  const judged = (['client', 'server'] as const).filter((role) => transports[role] !== undefined)
  const subject = await withOtherEnd(
    {
      commands: Object.fromEntries(judged.map((role) => [role, command])),
      transports,
      env,
      args: options.args ?? '',
      options: options.options ?? '',
      patience,
      evidence: new Map(),
      launches: [],
      signal,
    },
    judged,
    options.peer,
  )
  const { results, skipped } = await runProbes(
    judged.flatMap((role) => ptProbes(role)),
    () => new PtLab(subject),
    options,
  )
  const duration = Math.round(performance.now() - start)
  const { title = '', exec } = options
  const absent = await absentRoles(subject, judged)
  const rested = results.map((result) => (absent.includes(result.role) ? withoutEvidence(result) : result))
  return { subject: 'pt', title, command: exec, transports, date, duration, results: rested, skipped, absent }
}

/** Returns the roles in which the program announced its transport neither for a probe nor at a plain start. */
async function absentRoles(subject: Subject, judged: readonly Role[]): Promise<Role[]> {
  const absent: Role[] = []
  await using lab = new PtLab(subject)
  for (const role of judged) {
    const name = subject.transports[role]!
    const shown = subject.launches.some((launch) => launch.role === role && announces(launch.pt, role, name))
    // A machine that is too busy to tell has not told that either.
    if (!shown && !announces(await plainStart(lab, role), role, name) && !lab.strain.exceeded) absent.push(role)
  }
  return absent
}

/** Takes back verdicts: a program that never announced its transport keeps statements only as a program does that does nothing. */
function withoutEvidence(result: Result): Result {
  if (result.verdict !== 'kept') return result
  return { ...result, verdict: 'unknown', why: 'it announced the transport in none of its launches' }
}

/**
 * The subject with something at the other end if one role alone is judged: `peer`, or the program itself if it has the other role
 * too. Without a handshake by a client, a server of most transports forwards nothing, and little can be told.
 */
async function withOtherEnd(
  subject: Subject,
  judged: readonly Role[],
  peer: readonly string[] | undefined,
): Promise<Subject> {
  const [only] = judged
  if (judged.length !== 1 || only === undefined) return subject
  const other = only === 'client' ? 'server' : 'client'
  const name = subject.transports[only]!
  const command = peer === undefined ? subject.commands[only]! : absolute(peer)
  if (peer === undefined && !(await offers(other, name, { ...subject, command }))) return subject
  return {
    ...subject,
    commands: { ...subject.commands, [other]: command },
    transports: { ...subject.transports, [other]: name },
  }
}

/** Launches have a working directory of their own, so paths in the command are made absolute. */
export function absolute(command: readonly string[]): string[] {
  return command.map((word) => (word.includes('/') && !isAbsolute(word) && existsSync(word) ? resolve(word) : word))
}
