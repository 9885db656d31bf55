/** goptlib's example programs, built from Debian's sources, as children of our parents. */
import { formatAddress } from 'postern/ipc'
import type { OnConnection } from 'postern/parent'
import { launchClient, launchServer } from 'postern/parent'
import { describe, expect, test } from 'vitest'
import { Events } from '../parent/fixtures.ts'
import { CLOSED_PORT, tempDir } from '../support.ts'
import { goptlib } from './goptlib.ts'
import { exchange } from './traffic.ts'

type Connection = Parameters<OnConnection>[0]

describe("goptlib's dummies", () => {
  test(
    'FLOW-1, SENV-9, EXT-3: carry 32 MiB each way, equal by SHA-256, and end when their stdin closes',
    { timeout: 180_000 },
    async (context) => {
      let accept!: (connection: Connection) => void
      const accepted = new Promise<Connection>((resolve) => (accept = resolve))
      const exec = goptlib('dummy-server', context)
      await using server = await launchServer({
        exec,
        transports: [{ name: 'dummy' }],
        stateDir: tempDir(),
        onConnection: accept,
      })
      await using client = await launchClient({
        exec: goptlib('dummy-client', context),
        transports: ['dummy'],
        stateDir: tempDir(),
      })
      const { port } = server.methods.get('dummy')!.address
      const conn = await client.connect('dummy', formatAddress({ host: '127.0.0.1', port }), { args: { any: 'thing' } })
      const served = await accepted
      expect(served).toMatchObject({ transport: 'dummy', userAddr: { host: '127.0.0.1' } })
      const { sent, received } = await exchange(conn, served.conn, 32)
      expect(received).toEqual(sent)
      expect(await client.stop()).toEqual({ code: 0, signal: null, step: 'stdin' })
      expect(await server.stop()).toEqual({ code: 0, signal: null, step: 'stdin' })
    },
  )

  test('PT_PROXY_URI: the client says PROXY-ERROR to every upstream proxy', { timeout: 180_000 }, async (context) => {
    const events = new Events()
    const options = {
      exec: goptlib('dummy-client', context),
      transports: ['dummy'],
      stateDir: tempDir(),
      onEvent: events.onEvent,
    }
    const launching = launchClient({ ...options, proxy: `socks5://127.0.0.1:${CLOSED_PORT}` })
    await expect(launching).rejects.toMatchObject({
      code: 'PT_PROXY_URI',
      line: 'PROXY-ERROR proxy is not supported',
      exit: { code: 1 },
    })
  })
})
