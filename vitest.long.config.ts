/** npm run test:long: what has to happen in real time, or tries everything, and so takes longer than anybody waits for `npm test`. */
import { defineConfig } from 'vitest/config'
import base from './vitest.config.ts'

export default defineConfig({
  ...base,
  test: {
    ...base.test,
    // Every mutant meets every probe of the checker there, where `npm test` has the ones that are to catch it.
    include: ['test/long/**/*.long.ts', 'test/check/mutants.test.ts'],
    env: { POSTERN_LONG: '1' },
    testTimeout: 120_000,
  },
})
