/** The examples of docs/api/postern.md. */
import { isPtError, openBridge } from 'postern'
import { readExactly } from 'postern/io'
import { expect, test } from 'vitest'
import { serveEcho, startBridge } from '../../bridges/bridges.ts'

test('openBridge', async () => {
  const line = await startBridge(await serveEcho())
  // example: openBridge
  const bridge = await openBridge(line) // 'obfs4 192.0.2.7:443 cert=… iat-mode=0'
  const conn = await bridge.connect()
  conn.write('hello')
  expect(String(await readExactly(conn, 5))).toBe('hello')
  await bridge.close()
  // end
})

test('isPtError', async () => {
  const line = 'obfs4 127.0.0.1:1 cert=abc iat-mode=0'
  let seen: unknown
  // example: isPtError
  try {
    await using bridge = await openBridge(line)
    await bridge.connect()
  } catch (error) {
    if (isPtError(error, 'PT_ARGS'))
      seen = error.stage // 'argument': the bridge line is wrong
    else throw error
  }
  // end
  expect(seen).toBe('argument')
})
