/** The settings of V8, as a process has them that runs until it is stopped. */
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { root } from '../support.ts'

test('garbage is collected once, at once, and nobody is given the means', () => {
  const program = `
    import { runInNewContext } from 'node:vm'
    import { tuneEngine } from ${JSON.stringify(`file://${root}dist/cli/engine.js`)}
    tuneEngine()
    setImmediate(() => console.log('gc is', typeof gc, 'and', runInNewContext('typeof gc')))`
  const args = ['--trace-gc', '--input-type=module', '--eval', program]
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  expect(stderr).toBe('')
  const [before, after] = stdout.split('gc is undefined and undefined\n')
  expect(before!.match(/Mark-Compact/g)).toHaveLength(1)
  expect(after).not.toContain('Mark-Compact')
})
