/** npm run test:plain: streams, transports and real peers with POSTERN_PLAIN=1 in the environment, which child processes inherit. */
import { defineConfig } from 'vitest/config'
import base from './vitest.config.ts'

export default defineConfig({
  ...base,
  test: {
    ...base.test,
    include: ['test/plain.test.ts', 'test/{io,transports,interop}/**/*.test.ts'],
    env: { POSTERN_PLAIN: '1' },
  },
})
