/** npm run test:plain: streams, transports and real peers with POSTERN_PLAIN=1 in the environment, which child processes inherit. */
import { defineConfig } from 'vitest/config'
import base, { common } from './vitest.config.ts'

export default defineConfig({
  resolve: base.resolve ?? {},
  test: {
    ...common,
    maxWorkers: 3,
    include: ['test/plain.test.ts', 'test/{io,transports,interop}/**/*.test.ts'],
    // These are about what this mode does without: TcpSocket itself, the gate that needs its handle, and the choice of a kernel.
    exclude: ['test/io/{tcp,accept-gate}.test.ts', 'test/transports/obfs4/{fallback,frames/kernels}.test.ts'],
    env: { POSTERN_PLAIN: '1' },
  },
})
