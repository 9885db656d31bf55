/** Runs probes, a bounded number at a time, and makes a Result of what each finds out. */
import type { Notes, Probe } from './probe.ts'
import { Finding } from './probe.ts'
import type { Result, Verdict } from './verdict.ts'
import { statementOf } from './verdict.ts'

/** How far a check has come. */
export interface Progress {
  /** How many probes have ended, and how many there are. */
  readonly done: number
  readonly total: number
  /** The probe that has just ended. */
  readonly title: string
  readonly verdict: Verdict
}

/** The options that checkPt and checkParent have in common. */
export interface RunOptions {
  /** Runs the probes of these ids only. Default: all. */
  readonly only?: readonly string[] | undefined
  /** Leaves out the probes that wait out a time limit. */
  readonly skipSlow?: boolean | undefined
  /** What is checked, and its version, for the heading of a report. */
  readonly title?: string | undefined
  /** How many probes run at a time. Default 4. */
  readonly concurrency?: number | undefined
  readonly onProgress?: ((progress: Progress) => void) | undefined
  /** Once it aborts, all that the check has started ends, and the check rejects with its reason. */
  readonly signal?: AbortSignal | undefined
}

/** What a probe works with: its notes, and whatever it opens, which ends when it is disposed of. */
export interface Bench extends AsyncDisposable {
  readonly notes: Notes
}

/** Runs a check that `signal` can interrupt: an interrupted one rejects with the signal's reason, whatever else came of it. */
export async function interruptible<T>(signal: AbortSignal | undefined, check: () => Promise<T>): Promise<T> {
  try {
    signal?.throwIfAborted()
    return await check()
  } finally {
    signal?.throwIfAborted()
  }
}

/** Runs `probes` with a bench of its own each, and begins none once `signal` has aborted. The results are in the order of the probes. */
export async function runProbes<Lab extends Bench>(
  probes: readonly Probe<Lab>[],
  open: () => Lab,
  options: RunOptions = {},
): Promise<{ results: Result[]; skipped: string[] }> {
  const { concurrency = 4, onProgress, signal } = options
  const wanted = probes.filter(({ ids }) => options.only === undefined || ids.some((id) => options.only?.includes(id)))
  const chosen = wanted.filter(({ slow }) => options.skipSlow !== true || slow !== true)
  const results: Result[][] = chosen.map(() => [])
  // Slow probes come first, or the others would have to wait for them in the end.
  const slowness = (index: number): number => Number(chosen[index]!.slow === true)
  const queue = chosen.map((_, index) => index).sort((a, b) => slowness(b) - slowness(a) || a - b)
  let done = 0
  const next = (): number | undefined => (signal?.aborted === true ? undefined : queue.shift())
  const work = async (): Promise<void> => {
    for (let index = next(); index !== undefined; index = next()) {
      const probe = chosen[index]!
      results[index] = await runProbe(probe, open())
      const verdict = results[index]?.[0]?.verdict ?? 'unknown'
      onProgress?.({ done: ++done, total: chosen.length, title: probe.title, verdict })
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, concurrency) }, work))
  const skipped = wanted.filter((probe) => !chosen.includes(probe)).map(({ title, role }) => `${title} (${role})`)
  return { results: results.flat(), skipped }
}

async function runProbe<Lab extends Bench>(probe: Probe<Lab>, lab: Lab): Promise<Result[]> {
  const start = performance.now()
  let verdict: Verdict = 'kept'
  let why = ''
  try {
    await probe.run(lab)
  } catch (error) {
    verdict = error instanceof Finding ? error.verdict : 'unknown'
    why = verdict === 'broken' ? '' : (error as Error).message
  } finally {
    await lab[Symbol.asyncDispose]()
  }
  const { role, title, slow = false } = probe
  const duration = Math.round(performance.now() - start)
  const found = { role, title, verdict, why, steps: lab.notes.steps, slow, duration }
  return probe.ids.map((id) => ({ ...requireStatement(id), ...found }))
}

function requireStatement(id: string): NonNullable<ReturnType<typeof statementOf>> {
  const statement = statementOf(id)
  if (statement === undefined) throw new Error(`no statement has the id ${id}`)
  const { level, section, says, draft } = statement
  return { id, level, section, says, draft }
}
