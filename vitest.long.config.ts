/** npm run test:long: what has to happen in real time, or tries everything, and so takes longer than anybody waits for `npm test`. */
import { defineConfig } from 'vitest/config'
import base from './vitest.config.ts'

export default defineConfig({
  ...base,
  test: {
    ...base.test,
    // And the files of which `npm test` has a part: all mutants and parents of the checker, lyrebird beside
    // obfs4proxy, tunnels of obfs4proxy, long waits.
    include: [
      'test/long/**/*.long.ts',
      'test/check/{mutants,parent}.test.ts',
      'test/interop/{tunnels,tunnel-kill,tunnel-drain}.test.ts',
      'test/interop/{first-bytes,handshake-ends,obfs2-obfs3,obfs4,parent-go-peers,pt-obfs}.test.ts',
      'test/cli/drain.test.ts',
    ],
    env: { POSTERN_LONG: process.env['POSTERN_LONG'] ?? 'all' },
    // Most of them wait for others, so that they can wait side by side.
    maxWorkers: 4,
    testTimeout: 120_000,
  },
})
