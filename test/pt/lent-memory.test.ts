/** A codec of a third party in a whole PT: what it does with its own memory, and that it throws, is the affair of one connection. */
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { readExactly } from 'postern/io'
import { clientEnv, portIn, runChild } from './child.ts'
import { echo, readAll, socks } from './support.ts'

const lending = fileURLToPath(new URL('../fixtures/transports/lending.mjs', import.meta.url))

test('a loaded codec that throws in the middle of its lent memory ends its own connection, and no byte of another changes', async () => {
  const { address } = await echo()
  const pt = runChild({ args: ['pt', '--load', lending], env: clientEnv({ TOR_PT_CLIENT_TRANSPORTS: 'lending' }) })
  const port = portIn(await pt.line('CMETHOD '))
  const good = await socks(port, address, 'k=v')
  for (let round = 0; round < 20; round++) {
    const bad = await socks(port, address, 'k=v')
    const said = `round ${round} of the good one`
    good.conn.write(said)
    bad.conn.write('before!behind')
    expect(await readAll(bad.conn)).toBe('before')
    expect(String(await readExactly(good.conn, said.length))).toBe(said)
  }
  pt.child.kill('SIGTERM')
  expect(await pt.exit).toBe(0)
})
