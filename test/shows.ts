/**
 * Which requirements a test shows. A title says for readers what a test is about. What counts is a call of shows() beside the
 * assertion, in a test that passes: reporter.ts collects the calls of a whole run, and the run fails if a requirement is missing.
 *
 *     expect(await pt.exit).toBe(1)
 *     shows('VER-3', 'ERR-2')
 */
import { expect, TestRunner } from 'vitest'
import { requirements } from '../src/ipc/requirements.ts'

declare module 'vitest' {
  interface TaskMeta {
    /** The requirements that the test has shown. */
    shows?: string[]
  }
}

const ids: ReadonlySet<string> = new Set(requirements.map(({ id }) => id))

/** A test, as far as it matters here. */
interface Showing {
  readonly meta: { shows?: string[] }
}

/** How many values each test had compared when it called shows() for the last time. */
const compared = new WeakMap<Showing, number>()

/** Notes that the values which the running test has compared since its last call show these requirements. */
export function shows(...shown: readonly [string, ...string[]]): void {
  const test = TestRunner.getCurrentTest()
  if (test === undefined) throw new Error('shows() was called outside of a test')
  noteShown(test, expect.getState().assertionCalls, shown)
}

/** Throws if the test has compared no value since the last time, or if there is no such requirement. */
export function noteShown(test: Showing, assertionCalls: number, shown: readonly string[]): void {
  const unknown = shown.filter((id) => !ids.has(id))
  if (unknown.length > 0) throw new Error(`there is no requirement ${unknown.join(', ')}`)
  if (assertionCalls === (compared.get(test) ?? 0))
    throw new Error(`no value was compared that shows ${shown.join(', ')}`)
  compared.set(test, assertionCalls)
  test.meta.shows = [...(test.meta.shows ?? []), ...shown]
}
