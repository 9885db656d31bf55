/** The examples of docs/api/socks.md. */
import type { Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { listen, readExactly } from 'postern/io'
import { acceptSocks, connectSocks, replyFor } from 'postern/socks'
import { expect, onTestFinished, test } from 'vitest'

test('acceptSocks and connectSocks', async () => {
  // example: acceptSocks
  const serve = async (conn: Socket): Promise<void> => {
    const request = await acceptSocks(conn)
    if (request.args.get('cert') === undefined) return request.refuse(new Error('a cert is missing'))
    request.grant()
    conn.pipe(conn) // a real server connects to request.target
  }
  const server = createServer((conn) => void serve(conn).catch((error) => console.error(error)))
  // end
  const { port } = await listen(server, '127.0.0.1', 0)
  onTestFinished(() => void server.close())
  // example: connectSocks
  const conn = connect(port, '127.0.0.1')
  await connectSocks(conn, { version: 5, target: '192.0.2.7:443', args: { cert: 'abc' } })
  conn.write('the bytes of the application')
  // end
  expect(String(await readExactly(conn, 28))).toBe('the bytes of the application')
  conn.destroy()
})

test('replyFor', () => {
  // example: replyFor
  expect(replyFor(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }))).toBe(5)
  // end
})
