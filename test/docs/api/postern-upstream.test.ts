/** The examples of docs/api/upstream.md. */
import type { Socket } from 'node:net'
import { createServer } from 'node:net'
import { parseProxyUri } from 'postern/ipc'
import { listen, readExactly } from 'postern/io'
import { acceptSocks } from 'postern/socks'
import { makeConnect } from 'postern/upstream'
import { expect, onTestFinished, test } from 'vitest'

test('makeConnect', async () => {
  const asked: string[] = []
  const serve = async (conn: Socket): Promise<void> => {
    const request = await acceptSocks(conn)
    asked.push(request.target)
    request.grant()
    conn.end('hello')
  }
  const server = createServer((conn) => void serve(conn))
  const { port } = await listen(server, '127.0.0.1', 0)
  onTestFinished(() => void server.close())
  const uri = `socks5://127.0.0.1:${port}`
  // example: makeConnect
  const connect = makeConnect({ proxy: parseProxyUri(uri) })
  const conn = await connect('192.0.2.7:443', new AbortController().signal) // through the proxy, or not at all
  // end
  expect(String(await readExactly(conn, 5))).toBe('hello')
  expect(asked).toEqual(['192.0.2.7:443'])
  conn.destroy()
})
