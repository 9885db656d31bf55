import { DefaultReporter } from 'vitest/node'
import type { TestCase, TestModule } from 'vitest/node'
import { filesBelow } from '../scripts/titles.mjs'
import { requirements } from '../src/ipc/requirements.ts'

/**
 * Vitest's own report, then what was skipped and why, then one closing line: `N passed, N failed, N skipped`. After a run of all
 * files it fails the run if no passing test has shown a requirement.
 */
export default class ClosingLineReporter extends DefaultReporter {
  override onTestRunEnd(modules: readonly TestModule[], ...rest: [errors: never, reason: never]): void {
    super.onTestRunEnd(modules, ...rest)
    const tests: TestCase[] = modules.flatMap((module) => [...module.children.allTests()])
    const count = (state: string): number => tests.filter((test) => test.result().state === state).length
    const broken = modules.filter((module) => module.errors().length > 0).length
    const reasons = new Map<string, number>()
    for (const test of tests) {
      const result = test.result()
      if (result.state === 'skipped') {
        const reason = result.note ?? 'no reason given'
        reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
      }
    }
    for (const [reason, times] of reasons) this.log(`skipped ${times}: ${reason}`)
    const missing = this.#isWhole(modules) ? unshown(tests) : []
    if (missing.length > 0) {
      this.log(`no passing test has shown ${missing.join(', ')}`)
      process.exitCode = 1
    }
    const failed = count('failed') + broken + missing.length
    this.log(`${count('passed')} passed, ${failed} failed, ${count('skipped')} skipped`)
  }

  /** True if every file of tests took part, and every test of it. */
  #isWhole(modules: readonly TestModule[]): boolean {
    const ran = new Set(modules.map(({ relativeModuleId }) => relativeModuleId))
    const { testNamePattern } = this.ctx.config
    return testNamePattern === undefined && filesBelow('test', '.test.ts').every((file: string) => ran.has(file))
  }
}

function unshown(tests: readonly TestCase[]): string[] {
  const passed = tests.filter((test) => test.result().state === 'passed')
  const shown = new Set(passed.flatMap((test) => test.meta().shows ?? []))
  return requirements.map(({ id }) => id).filter((id) => !shown.has(id))
}
