/** The examples of docs/api/webtunnel.md. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:http'
import { openBridge } from 'postern'
import { readExactly } from 'postern/io'
import { mountWebtunnel } from 'postern/webtunnel'
import { expect, onTestFinished, test } from 'vitest'

test('mountWebtunnel', async () => {
  // example: mountWebtunnel
  const server = createServer((request, response) => response.end('a web site'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // in earnest this is a site with HTTPS, here or in front of it
  const url = `http://127.0.0.1:${port}/b3ZlciB0aGUgcmFpbmJvdw`
  const bridge = mountWebtunnel(server, { url, onConnection: (stream) => void stream.pipe(stream) })
  // bridge.bridgeLine is what its users get: webtunnel [2001:db8:…]:443 url=… ver=0.0.7
  // end
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  await using dialler = await openBridge(bridge.bridgeLine)
  const conn = await dialler.connect()
  conn.write('through the web site')
  expect(String(await readExactly(conn, 20))).toBe('through the web site')
  conn.destroy()
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('a web site')
})
