/** No test sleeps in order to wait for something else: it waits for the event. */
import { expect, it } from 'vitest'
import { filesBelow, textOf } from '../scripts/titles.mjs'

/** What makes a promise of time that passes. */
const sleeps = [
  /setTimeout[^}]*\} from 'node:timers\/promises'/,
  /setTimeout\((?:resolve|\(\) => resolve)\b/,
  /await (?:delay|sleep)\(\d/,
]

it('time passes in tests by timePasses() alone, which is for the time limits of what is tested', () => {
  const files: string[] = [...filesBelow('test', '.ts'), ...filesBelow('test', '.mjs')]
  const found = files
    .filter((file) => !/^test\/(?:fixtures\/|support\.ts|sleeps\.test\.ts)/.test(file))
    .flatMap((file) =>
      textOf(file)
        .split('\n')
        .map((line: string, at: number) => `${file}:${at + 1}: ${line.trim()}`),
    )
    .filter((line) => sleeps.some((pattern) => pattern.test(line)))
    // What waits for one of two things may end with the time of the other.
    .filter((line) => !/const (?:timer|idle) = /.test(line))
  expect(found).toEqual([])
})
