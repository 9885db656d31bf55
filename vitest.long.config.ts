/** npm run test:long: what has to happen in real time, or tries everything, and so takes longer than `npm test` may take. */
import { defineConfig } from 'vitest/config'
import { common, resolve } from './vitest.config.ts'

export default defineConfig({
  resolve,
  test: {
    ...common,
    // It also runs the files of which `npm test` has a part: all mutants and parents of the checker, lyrebird beside
    // obfs4proxy, tunnels and a tor network of obfs4proxy, long waits, and many random inputs.
    include: [
      'test/{long,tls,interop}/**/*.long.ts',
      'test/check/{mutants,parent}.test.ts',
      'test/interop/{tunnels,tunnel-kill,tunnel-drain}.test.ts',
      'test/interop/{ends,first-bytes,handshake-ends,meek-server,obfs2-obfs3,obfs4,parent-go-peers,pt-obfs,tor}.test.ts',
      'test/cli/drain.test.ts',
      'test/crypto/elligator2.test.ts',
    ],
    env: { POSTERN_LONG: process.env['POSTERN_LONG'] ?? 'all' },
    // Most of these tests wait for others, so that they can wait side by side.
    maxWorkers: 4,
    testTimeout: 120_000,
  },
})
