/** upgrade in the compliance suite, and behind a front: an HTTP server in this process that passes requests on. */
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { transportCases } from 'postern/testing'
import { describe, onTestFinished, test } from 'vitest'
import { upgrade } from '../../examples/upgrade.ts'

/** A front on `localhost`, as a web server is configured that passes one path on and says who has asked. */
async function front(target: string): Promise<string> {
  const [hostname, port] = target.split(':')
  const server = createServer((_, response) => response.writeHead(404).end())
  server.on('upgrade', ({ url, headers, socket: { remoteAddress } }, conn) => {
    const forwarded = { ...headers, 'x-forwarded-for': `198.51.100.66, ${remoteAddress}` }
    const onward = request({ hostname, port, path: url, headers: forwarded }).end()
    onward.on('upgrade', ({ statusCode, headers }, far, head) => {
      conn.write(
        `HTTP/1.1 ${statusCode} Switching Protocols\r\nUpgrade: ${headers.upgrade}\r\nConnection: Upgrade\r\n\r\n`,
      )
      conn.write(head)
      conn
        .on('error', () => far.destroy())
        .pipe(far.on('error', () => conn.destroy()))
        .pipe(conn)
    })
    onward.on('response', ({ statusCode }) => conn.end(`HTTP/1.1 ${statusCode} Refused\r\n\r\n`))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('upgrade', () => {
  const options = {
    serverOptions: { path: '/secret', front: '203.0.113.80:80' },
    badServerOptions: [{ path: 'secret' }, { front: 'cdn.example:80' }],
    badClientArgs: [{}, { path: 'secret' }],
    halfClose: true,
    front,
    userAddr: '127.0.0.1',
  }
  for (const { name, run } of transportCases(upgrade, { ...options, patience: 20_000 })) test(name, run)
})
