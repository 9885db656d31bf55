/** The examples of docs/api/app.md. */
import type { IncomingMessage } from 'node:http'
import { createServer, get } from 'node:http'
import { connect } from 'node:net'
import {
  bridgeLineToJson,
  createBridgeServer,
  httpAgent,
  lintBridgeLine,
  parseBridgeLine,
  readBridgeLines,
} from 'postern'
import { openBridge } from 'postern'
import { parseAllowList, startTunnelClient } from 'postern/app'
import { readExactly } from 'postern/io'
import { expect, onTestFinished, test } from 'vitest'
import { serve, serveEcho, startBridge } from '../../bridges/bridges.ts'
import { echoed, tempDir } from '../../support.ts'

test('parseBridgeLine', () => {
  // example: parseBridgeLine
  const line = parseBridgeLine('Bridge obfs4 192.0.2.7:443 cert=abc iat-mode=0')
  expect([line.transport, line.address, line.args.get('cert')]).toEqual(['obfs4', '192.0.2.7:443', 'abc'])
  // end
  expect(bridgeLineToJson(line)).toMatchObject({ transport: 'obfs4' })
})

test('lintBridgeLine', () => {
  // example: lintBridgeLine
  const findings = lintBridgeLine('obfs4 192.0.2.7:443 iat-mode=7')
  expect(findings.map(({ severity, field }) => `${severity}: ${field}`)).toEqual([
    'error: address',
    'error: cert',
    'error: iat-mode',
  ])
  // end
})

test('readBridgeLines', () => {
  // example: readBridgeLines
  const lines = readBridgeLines('Hello,\n> 1. `obfs4 192.0.2.7:443 cert=abc iat-mode=0`\n')
  expect(lines).toEqual(['obfs4 192.0.2.7:443 cert=abc iat-mode=0'])
  // end
})

test('createBridgeServer', async () => {
  const stateDir = tempDir()
  // example: createBridgeServer
  const server = await createBridgeServer(
    { stateDir, transports: [{ name: 'obfs4', bindAddress: '127.0.0.1:0' }] }, // `exec: ownPt()`: in a process of its own
    (conn, { transport }) => conn.end(`hello over ${transport}`),
  )
  const [line] = server.bridgeLines('127.0.0.1') // 'obfs4 127.0.0.1:… cert=… iat-mode=0'
  // end
  onTestFinished(async () => void (await server.stop()))
  await using bridge = await openBridge(line!)
  expect(String(await readExactly(await bridge.connect(), 16))).toBe('hello over obfs4')
})

test('Bridge', async () => {
  const line = await startBridge(await serveEcho())
  // example: Bridge
  const bridge = await openBridge(line)
  bridge.on('failure', (error) => console.error(error.message, error.stage))
  const conn = await bridge.connect()
  conn.write('hello')
  expect(String(await readExactly(conn, 5))).toBe('hello')
  await bridge.close()
  // end
})

test('httpAgent', async () => {
  const line = await startBridge(await serve(createServer((request, response) => response.end(request.headers.host))))
  await using bridge = await openBridge(line)
  const response = await new Promise<IncomingMessage>((resolve) => {
    // example: httpAgent
    get('http://bridge.example/', { agent: httpAgent(bridge) }, resolve)
    // end
  })
  expect(response.statusCode).toBe(200)
  response.destroy()
})

test('parseAllowList', () => {
  // example: parseAllowList
  const allow = parseAllowList(['*:443', '10.0.0.0/8:22'])
  // end
  expect(allow).toBeDefined()
})

test('startTunnelClient', async () => {
  const line = await startBridge(await serveEcho())
  // example: startTunnelClient
  const bridge = await openBridge(line)
  const tunnel = await startTunnelClient({ bridge, listen: '127.0.0.1:0' }) // a local port that leads through the bridge
  // end
  onTestFinished(() => tunnel.close())
  const conn = connect(tunnel.address.port, '127.0.0.1')
  expect(await echoed(conn, 'through')).toBe('through')
})
