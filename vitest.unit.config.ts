/** The tests without whole programs: what may differ between versions of Node is in them, and they take a minute. */
import { defineConfig } from 'vitest/config'
import { common, projectsWithout } from './vitest.config.ts'

export default defineConfig({
  test: {
    ...common,
    maxWorkers: 3,
    projects: projectsWithout(['test/{bench,check,cli,docs,examples,interop}/**', 'test/docs.test.ts']),
  },
})
