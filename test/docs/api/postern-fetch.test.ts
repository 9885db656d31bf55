/** The examples of docs/api/fetch.md. */
import { createServer } from 'node:http'
import { openBridge } from 'postern'
import { bridgeFetch } from 'postern/fetch'
import { expect, test } from 'vitest'
import { serve, startBridge } from '../../bridges/bridges.ts'

test('bridgeFetch', async () => {
  const line = await startBridge(await serve(createServer((_, response) => response.end('hello'))))
  // example: bridgeFetch
  const bridge = await openBridge(line)
  const fetch = bridgeFetch(bridge) // every request goes through the bridge, or nowhere
  const response = await fetch('http://service.example/')
  expect(await response.text()).toBe('hello')
  await bridge.close()
  // end
})
