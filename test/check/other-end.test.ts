/** A server that is judged alone: a client of the same program makes the handshakes, and without one the answer is open. */
import type { Result } from 'postern/check'
import { checkPt } from 'postern/check'
import { expect, test } from 'vitest'
import { root } from '../support.ts'

const pt = [process.execPath, `${root}dist/cli/main.js`, 'pt']
/** The same program, without the role of a client. */
const serverOnly = ['/bin/sh', '-c', '[ -z "$TOR_PT_CLIENT_TRANSPORTS" ] || exit 1; exec "$@"', 'sh', ...pt]

async function judge(exec: readonly string[], patience: number): Promise<readonly Result[]> {
  const only = ['ARCH-4', 'EXT-1', 'EXT-2', 'SENV-11']
  const { results } = await checkPt({ exec, roles: ['server'], transport: 'obfs4', patience, only })
  expect(results.every(({ role }) => role === 'server')).toBe(true)
  return results
}

test(
  'EXT-1, EXT-2, SENV-11: a server of obfs4 keeps what takes a handshake to find out',
  { timeout: 120_000 },
  async () => {
    const results = await judge(pt, 15_000)
    expect(results.filter(({ verdict }) => verdict !== 'kept')).toEqual([])
    expect(new Set(results.map(({ id }) => id))).toEqual(new Set(['ARCH-4', 'SENV-10', 'EXT-1', 'EXT-2', 'SENV-11']))
  },
)

test('a server of obfs4 without a client is broken in nothing', { timeout: 120_000 }, async () => {
  const results = await judge(serverOnly, 3_000)
  expect(results.filter(({ verdict }) => verdict !== 'unknown')).toEqual([])
  expect(results.length).toBeGreaterThan(4)
})
