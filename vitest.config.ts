import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const src = fileURLToPath(new URL('./src/', import.meta.url))

export default defineConfig({
  // Tests and examples import the package by its public names; here they mean the sources.
  resolve: {
    alias: [
      { find: /^postern$/, replacement: `${src}index.ts` },
      { find: /^postern\/transport$/, replacement: `${src}transport.ts` },
      { find: /^postern\/(.+)$/, replacement: `${src}$1/index.ts` },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // More than there are cores, as many tests wait for time to pass or for other processes.
    maxWorkers: 3,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // A wait for what another process does; on a busy machine its one second is soon over.
    expect: { poll: { timeout: 15_000 } },
    reporters: ['./test/reporter.ts'],
  },
})
