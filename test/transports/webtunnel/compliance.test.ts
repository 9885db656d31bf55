/** Both ends of webtunnel in the suite that we hand to others: in plain, as behind a front, and with TLS of the server's own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { transportCases } from 'postern/testing'
import { chainHash } from 'postern/tls'
import { afterAll, describe, onTestFinished, test } from 'vitest'
import type { Transport } from '../../../src/transport.ts'
import { webtunnel } from '../../../src/transports/webtunnel/index.ts'
import { authority } from '../../tls/authority.ts'

/** The url of a bridge is known before its port is: whatever the client asks for, it is connected to the server of the suite. */
const transport: Transport = {
  ...webtunnel,
  async client(options) {
    const client = await webtunnel.client(options)
    return {
      ...client,
      dial: (session) => client.dial({ ...session, connect: (_, signal) => session.connect(session.target, signal) }),
    }
  },
}

/** A front on loopback that says who has asked after what the client has written. */
async function front(target: string): Promise<string> {
  const [hostname, port] = target.split(':')
  const server = createServer((_, response) => response.writeHead(404).end())
  server.on('upgrade', ({ url, headers, socket: { remoteAddress } }, conn) => {
    const forwarded = { ...headers, 'x-forwarded-for': `198.51.100.66, ${remoteAddress}` }
    const onward = request({ hostname, port, path: url, headers: forwarded }).end()
    onward.on('upgrade', ({ rawHeaders }, far, head) => {
      const fields = rawHeaders.map((text, at) => (at % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join('')
      conn.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n`)
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

const patience = 20_000

describe('webtunnel behind a front', () => {
  const options = {
    serverOptions: { url: 'http://127.0.0.1:80/secret' },
    badServerOptions: [{}, { url: 'x' }, { url: 'http://127.0.0.1/secret', decoy: 'iis' }],
    badClientArgs: [{}, { url: 'x' }],
    front,
    userAddr: '127.0.0.1',
  }
  for (const { name, run } of transportCases(transport, { ...options, patience })) test(name, run)
})

describe('webtunnel with TLS of its own', () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-webtunnel-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const { leaf } = authority(['bridge.example'])
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  writeFileSync(cert, leaf.pem)
  writeFileSync(key, leaf.keyPem)
  const pin = chainHash([leaf.der]).toString('base64')
  const serverOptions = { url: 'https://bridge.example/secret', cert: pin, 'tls-cert': cert, 'tls-key': key }
  for (const { name, run } of transportCases(transport, { serverOptions, patience })) test(name, run)
})
