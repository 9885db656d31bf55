/** snowflake-client as a child of our parent, up to CMETHODS DONE: beyond that it needs a broker. */
import { launchClient } from 'postern/parent'
import { expect, test } from 'vitest'
import { Events } from '../parent/fixtures.ts'
import { peer, tempDir } from '../support.ts'

test('FLOW-1, CM-5: snowflake-client starts, refuses an unknown name, and ends when its stdin closes', async (context) => {
  const events = new Events()
  const exec = peer('snowflake-client', context)
  const pt = await launchClient({
    exec,
    transports: ['nonsense', 'snowflake'],
    stateDir: tempDir(),
    onEvent: events.onEvent,
  })
  expect(pt.methods.get('snowflake')).toMatchObject({ protocol: 'socks5', address: { host: '127.0.0.1' } })
  expect([...pt.failures]).toEqual([['nonsense', 'no such method']])
  expect(await pt.stop()).toMatchObject({ step: 'stdin' })
})
