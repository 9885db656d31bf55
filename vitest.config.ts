import { fileURLToPath } from 'node:url'
import type { TestProjectInlineConfiguration, ViteUserConfig } from 'vitest/config'
import { defineConfig } from 'vitest/config'

const src = fileURLToPath(new URL('./src/', import.meta.url))

/** Tests and examples import the package by its public names; here these names mean the sources. */
export const resolve = {
  alias: [
    { find: /^postern$/, replacement: `${src}index.ts` },
    { find: /^postern\/transport$/, replacement: `${src}transport.ts` },
    { find: /^postern\/(.+)$/, replacement: `${src}$1/index.ts` },
  ],
}

/** What every configuration of the tests has in common. */
export const common = {
  pool: 'forks',
  testTimeout: 60_000,
  hookTimeout: 60_000,
  // Such a wait is for what another process does. On a busy machine the default of one second is soon over.
  expect: { poll: { timeout: 15_000 } },
  reporters: ['./test/reporter.ts'],
} satisfies ViteUserConfig['test']

/**
 * Tests of functions and handshakes. Their files change nothing of the process that they run in and leave nothing behind in it, so
 * that several of them share one: starting a process and loading the sources into it costs more than most of these files do.
 */
const sharing = [
  'test/{check,cli,crypto,extor,http1,ipc,lines,parent,socks,upstream}/**/*.test.ts',
  'test/{error,options}.test.ts',
  'test/{docs,http1,sessions,tls}/**/*.test.ts',
  'test/transports/{arguments,handshake}.test.ts',
  'test/transports/web/{certificate-files,decoy,forwarded-for,requests}.test.ts',
  'test/transports/obfs4/{burst,cert,frames,handshake,replays,state}.test.ts',
  'test/transports/obfs4/frames/**/*.test.ts',
  'test/transports/scramblesuit/{hello,lengths,packet,password,state,ticket}.test.ts',
]

/** All tests without those of `exclude`, in two projects: files that share processes, and files with a process of their own. */
export function projectsWithout(exclude: readonly string[]): TestProjectInlineConfiguration[] {
  return [
    { resolve, test: { ...common, name: 'sharing', isolate: false, restoreMocks: true, include: sharing } },
    { resolve, test: { ...common, name: 'alone', include: ['test/**/*.test.ts'], exclude: [...sharing, ...exclude] } },
  ]
}

export default defineConfig({
  resolve,
  test: {
    ...common,
    // There are more workers than cores, as many tests wait for time to pass or for other processes.
    maxWorkers: 4,
    projects: projectsWithout([]),
  },
})
