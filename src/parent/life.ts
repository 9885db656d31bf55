/**
 * One life of a PT: started, listened to until it is ready, and for as long as it runs. Section "Workflow".
 *
 *     spawn ── dialogue until CMETHODS DONE or SMETHODS DONE, within the start-up time ── ready ── … ── ended
 */
import { performance } from 'node:perf_hooks'
import { isPtError, PtError } from '../error.ts'
import { withDeadline } from '../io/wait/deadline.ts'
import type { Command } from './command.ts'
import { onlyPtVariables } from './child-environment.ts'
import type { Dialogue, Expected, Method } from './dialogue.ts'
import type { Discretion } from './discretion.ts'
import { quote } from './dialogue.ts'
import type { Exit, OnEvent } from './events.ts'
import { hasChildren, isEnding } from './liveness.ts'
import { formatExit, formatFailures, PtProcessError } from './process-error.ts'
import type { Child } from './spawn.ts'
import { spawnPt } from './spawn.ts'
import type { ExitStatus } from './stop.ts'
import { killChild, stopChild, unstoppable } from './stop.ts'
import { within } from '../io/wait/within.ts'
import { Transcript } from './transcript.ts'

export interface Plan {
  readonly command: Command
  readonly env: Record<string, string>
  readonly expected: Expected
  /** Each of these transports has to be there; an empty list wants at least one of those that were asked for. */
  readonly required: readonly string[]
  readonly startTimeout: number
  readonly stopTimeout: number
  /** Cleans what the PT says before an error repeats it. */
  readonly discretion: Discretion
}

export interface Ending {
  readonly error: PtError
  /** Milliseconds from ready to the end. */
  readonly uptime: number
}

export interface Life {
  readonly methods: ReadonlyMap<string, Method>
  readonly failures: ReadonlyMap<string, string>
  /** Resolves when the process is gone, whatever ended it. Never rejects. */
  readonly ended: Promise<Ending>
  /** True if the process has ended, or is about to: asked when a connection that it carried has ended. */
  isOver(): Promise<boolean>
  /** Asks the PT to accept no more connections; false if that cannot be asked. */
  interrupt(): boolean
  /** Ends the PT by the steps of stop.ts. */
  stop(): Promise<ExitStatus>
}

/**
 * Starts a PT and resolves when it is ready. Rejects when the process is gone again: PT_EXEC, PT_EXITED, PT_TIMEOUT,
 * PT_PROTOCOL, PT_LINE_TOO_LONG, PT_VERSION, PT_ENV, PT_PROXY_URI, PT_LAUNCH, or the signal's reason.
 */
export async function startLife(plan: Plan, emit: OnEvent, signal?: AbortSignal): Promise<Life> {
  signal?.throwIfAborted()
  const transcript = new Transcript(plan.expected, emit)
  const child = await spawnPt(plan.command, plan.env, transcript)
  emit({ type: 'launching', program: plan.command.program, pid: child.pid, environment: onlyPtVariables(plan.env) })
  const exited = child.exited.then((exit) => {
    emit({ type: 'exit', ...exit })
    return exit
  })
  try {
    await ready(transcript, exited, plan, signal)
    requireMethods(transcript.dialogue, plan.required)
  } catch (error) {
    const status = await end(child, error, plan, emit)
    if (signal?.aborted) throw signal.reason
    throw describe(error, plan, transcript, child, status)
  }
  const { methods } = transcript.dialogue
  const failures = cleanFailures(transcript, plan)
  emit({ type: 'ready', transports: [...methods.keys()], failures })
  return {
    methods,
    failures,
    ended: watch(child, exited, transcript, plan, emit),
    isOver: overOf(child),
    interrupt: () => child.interrupt(),
    stop: async () => tellLeft(await stopChild(child, plan.stopTimeout), child, plan, emit),
  }
}

/** How long the end of a process is waited for if only its own end tells, in milliseconds. */
const NOTICE = 200

/** The PT behind a wrapper script ends before the script does, and other systems than Linux do not tell of an ending. */
function overOf({ pid, gone }: Child): () => Promise<boolean> {
  let over = false
  void gone.then(() => (over = true))
  const wrapped = hasChildren(pid)
  return async () => {
    if (over || isEnding(pid) === true) return true
    if (isEnding(pid) === false && !wrapped) return false
    await within(gone, NOTICE)
    return over
  }
}

async function ready(
  transcript: Transcript,
  exited: Promise<Exit>,
  plan: Plan,
  parent: AbortSignal | undefined,
): Promise<void> {
  await withDeadline(plan.startTimeout, 'the start of the PT', parent, async (signal) => {
    const aborted = new Promise<never>((_, reject) => {
      const abort = (): void => reject(signal.reason as Error)
      if (signal.aborted) abort()
      signal.addEventListener('abort', abort, { once: true })
    })
    const failed = transcript.faulted.then((error) => Promise.reject(error))
    const gone = exited.then((exit) => Promise.reject(exitError(exit, `before it said ${transcript.dialogue.missing}`)))
    const silent = transcript.ended.then(async () => {
      // Of a process that ends, too, stdout is closed; how it ends says more.
      await within(exited, NOTICE)
      throw new PtError('PT_PROTOCOL', `it closed its stdout before it said ${transcript.dialogue.missing}`)
    })
    await Promise.race([failed, transcript.done, gone, aborted, silent])
  })
}

function requireMethods({ methods, failures }: Dialogue, required: readonly string[]): void {
  const missing = required.filter((name) => !methods.has(name))
  if (missing.length === 0 && methods.size > 0) return
  const what = methods.size === 0 ? 'none of the requested transports is there' : `${missing.join(', ')} did not start`
  throw new PtError('PT_LAUNCH', `${what}${formatFailures(failures)}`)
}

/** A PT that broke the protocol, or that would go around the proxy, gets no time to do more. */
async function end(child: Child, error: unknown, plan: Plan, emit: OnEvent): Promise<ExitStatus> {
  const harmful = isPtError(error, 'PT_PROTOCOL', 'PT_LINE_TOO_LONG')
  const status = harmful ? await killChild(child) : await stopChild(child, plan.stopTimeout)
  return tellLeft(status, child, plan, emit)
}

/** `status`, and an event if it says that the program still runs. */
function tellLeft(status: ExitStatus, { pid }: Child, { command }: Plan, emit: OnEvent): ExitStatus {
  if (status.step === 'none') emit({ type: 'unstoppable', pid, error: unstoppable(command.name, pid) })
  return status
}

async function watch(
  child: Child,
  exited: Promise<Exit>,
  transcript: Transcript,
  plan: Plan,
  emit: OnEvent,
): Promise<Ending> {
  const start = performance.now()
  const fault = await Promise.race([transcript.faulted, exited])
  const uptime = performance.now() - start
  if (!(fault instanceof Error)) {
    return { uptime, error: describe(exitError(fault, 'by itself'), plan, transcript, child, fault) }
  }
  const status = await end(child, fault, plan, emit)
  return { uptime, error: describe(fault, plan, transcript, child, status) }
}

function exitError(exit: Exit, when: string): PtError {
  const hint = exit.code === NOT_FOUND ? `, which says that a program was not found: ${seeOperating}` : ''
  return new PtError('PT_EXITED', `ended ${when}, with ${formatExit(exit)}${hint}`)
}

/** The exit status by which shells and `env` say that they could not find their program. */
const NOT_FOUND = 127
const seeOperating =
  'its own, or the one that its first line names; docs/operating.md, "Under Debian\'s tor", has the cures'

/**
 * Makes the error with the program's name before it, and the PT's last words beside it. It has no cause, as the cause would
 * have this message before it was cleaned.
 */
function describe(
  error: unknown,
  { command, discretion }: Plan,
  transcript: Transcript,
  child: Child,
  exit: Exit | ExitStatus,
): PtError {
  const { code, message: what, line } = error as PtError
  const failures = cleanFailures(transcript, { discretion })
  let message = `${command.name}: ${discretion.clean(what)}`
  if (code === 'PT_TIMEOUT')
    message += `, and ${transcript.dialogue.missing} is still missing${formatFailures(failures)}`
  const words = child.lastWords.lastLines(3)
  const left = 'step' in exit && exit.step === 'none'
  if (left) message += `; process ${child.pid} could not be ended`
  if (code === 'PT_EXITED' && child.cutOff !== '') words.unshift(`${quote(child.cutOff)} (cut off)`)
  const traces = {
    exit: left ? undefined : exit,
    lines: transcript.lines.map((one) => discretion.clean(one)),
    stderr: discretion.cleanAll(child.lastWords.text),
    failures,
  }
  return new PtProcessError(code, message, traces, {
    ...(line === undefined ? {} : { line: discretion.clean(line) }),
    ...(words.length === 0 ? {} : { reported: discretion.words(words.join(' | ')) }),
  })
}

function cleanFailures({ dialogue }: Transcript, { discretion }: Pick<Plan, 'discretion'>): Map<string, string> {
  return new Map([...dialogue.failures].map(([name, reason]) => [name, discretion.clean(reason)]))
}
