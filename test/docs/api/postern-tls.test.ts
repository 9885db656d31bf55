/** The examples of docs/api/tls.md. */
import { once } from 'node:events'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:tls'
import { readExactly } from 'postern/io'
import { connectTls, TicketStore } from 'postern/tls'
import { expect, onTestFinished, test } from 'vitest'
import { authority } from '../../tls/authority.ts'

test('connectTls', async () => {
  const { root, leaf } = authority(['front.example'])
  const server = createServer({ key: leaf.keyPem, cert: leaf.pem, ALPNProtocols: ['http/1.1'] }, (conn) =>
    conn.pipe(conn),
  )
  server.listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const roots = root.pem
  const tickets = new TicketStore() // one for each server; a second visit then looks like one
  // example: connectTls
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  const conn = await connectTls(socket, { servername: 'front.example', roots, tickets })
  conn.write('hello') // conn.alpn is 'http/1.1', as with a WebSocket of Chromium
  // end
  expect(String(await readExactly(conn, 5))).toBe('hello')
  expect(conn.alpn).toBe('http/1.1')
  conn.destroy()
})
