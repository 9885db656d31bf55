/** Transports of third parties in this process: what outlives connections ends with the bridge. */
import { once } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { polling } from '../../examples/polling.ts'
import { openBridge } from '../../src/app/index.ts'
import { formatAddress } from '../../src/ipc/index.ts'
import { createConnections } from '../../src/sessions/connections.ts'
import { Ports } from '../../src/sessions/ports.ts'
import { serveTransport } from '../../src/sessions/serve-transport.ts'
import type { ClientOptions, Transport } from '../../src/transport.ts'
import { plain } from '../pt/support.ts'
import { echoed, tempDir } from '../support.ts'

const report = { log: () => undefined, status: () => undefined }

/** A server of polling whose sessions echo, and its bridge line. */
async function startPolling(): Promise<string> {
  const server = await serveTransport({
    transport: polling,
    bindAddress: { host: '127.0.0.1', port: 0 },
    stateDir: tempDir(),
    report,
    ports: new Ports(createConnections(), report),
    onConnection: ({ stream }) => void stream.pipe(stream),
  })
  onTestFinished(() => server.close())
  return `polling ${formatAddress(server.address)} idle=20000`
}

test('a session over several connections carries bytes, and ends with its bridge', async () => {
  const bridge = await openBridge(await startPolling(), { transports: [polling] })
  const conn = await bridge.connect()
  expect(await echoed(conn, 'word')).toBe('word')
  const closed = once(conn, 'close')
  await bridge.close()
  await closed
})

test('close() of a client is called once with the bridge, and what it has connected to is closed', async () => {
  let closes = 0
  let connect!: ClientOptions['connect']
  const transport: Transport = {
    ...plain(),
    client(options) {
      connect = options.connect
      return { dial: () => Promise.reject(new Error('no dial')), close: () => void closes++ }
    },
  }
  const line = (await startPolling()).replace('polling', 'plain')
  const bridge = await openBridge(line, { transports: [transport] })
  const conn = await connect(line.split(' ')[1]!, new AbortController().signal)
  const closed = once(conn, 'close')
  await bridge.close()
  await closed
  expect(closes).toBe(1)
})

test('arguments that a transport cannot use are refused before it dials, as in a PT', async () => {
  const line = (await startPolling()).replace('idle=20000', 'idle=long')
  await using bridge = await openBridge(line, { transports: [polling] })
  await expect(bridge.connect()).rejects.toMatchObject({ code: 'PT_ARGS', stage: 'argument' })
})
