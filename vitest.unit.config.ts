/** Without whole programs: what may differ between versions of Node is in these tests, and they take a minute. */
import { defineConfig } from 'vitest/config'
import base from './vitest.config.ts'

export default defineConfig({
  ...base,
  test: {
    ...base.test,
    exclude: ['test/{bench,check,cli,docs,examples,interop}/**', 'test/docs.test.ts'],
  },
})
