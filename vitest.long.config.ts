/** npm run test:long: what has to happen in real time, and so takes longer than anybody waits for `npm test`. */
import { defineConfig } from 'vitest/config'
import base from './vitest.config.ts'

export default defineConfig({
  ...base,
  test: { ...base.test, include: ['test/long/**/*.long.ts'], testTimeout: 120_000 },
})
