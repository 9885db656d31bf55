import { DefaultReporter } from 'vitest/node'
import type { TestCase, TestModule } from 'vitest/node'

/** Vitest's own report, then what was skipped and why, then one closing line: `N passed, N failed, N skipped`. */
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
    this.log(`${count('passed')} passed, ${count('failed') + broken} failed, ${count('skipped')} skipped`)
  }
}
