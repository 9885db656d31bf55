/** What users of bridges of webtunnel meet: the lines that Tor Browser and Orbot hand out, and tunnels that a file describes. */
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { serve } from '../../bridges/bridges.ts'
import { postern, ready, start } from '../../cli/postern.ts'
import { freePort, tempDir } from '../../support.ts'
import { pin, secretPath, startFront } from './fronts.ts'

const fingerprint = '0123456789ABCDEF0123456789ABCDEF01234567'

test.each([
  [
    `webtunnel [2001:db8:beb5:1f0b:55b1:cb2e:1f4:cc51]:443 ${fingerprint} url=https://bridge.example/path ver=0.0.4`,
    'nothing wrong',
  ],
  [`Bridge webtunnel 192.0.2.3:1 ${fingerprint} url=https://bridge.example/path`, 'nothing wrong'],
  [
    `webtunnel [2001:db8::1]:443 ${fingerprint} url=https://bridge.example/path servername=a.example,b.example utls=hellofirefox_auto ver=0.0.7`,
    'nothing wrong',
  ],
  [
    `webtunnel [2001:db8::1]:443 ${fingerprint} url=https://bridge.example/path cert=${pin}`,
    'it fits one chain of certificates',
  ],
])('bridge check of %s: %s', (line, says) => {
  const { stdout, status } = postern(['bridge', 'check', line])
  expect(stdout).toContain(says)
  expect(status).toBe(0)
  expect(stdout).not.toContain('bridge.example')
})

test('postern run serves a file with both ends of webtunnel, and shows neither the path nor the host', async (context) => {
  const [ptPort, localPort, frontPort] = [await freePort(), await freePort(), await freePort()]
  const web = await serve(createServer((_request, response) => response.end('hello')))
  const url = `https://bridge.example:${frontPort}${secretPath}`
  await using front = await startFront(context, { kind: 'nginx', ptPort, url })
  const file = join(tempDir(), 'tunnels.toml')
  writeFileSync(
    file,
    `[server.web]
transport = "webtunnel"
listen = "127.0.0.1:${ptPort}"
forward = "127.0.0.1:${web}"
state-dir = "state"
options = { url = "${url}" }

[client.web-user]
listen = "127.0.0.1:${localPort}"
bridges = ["webtunnel [2001:db8::1]:443 url=${url} addr=${front.args.addr} cert=${pin}"]
`,
    { mode: 0o600 },
  )
  const running = start('run', file)
  await ready(running, 'web')
  await ready(running, 'web-user')
  const conn = connect(localPort, '127.0.0.1')
  conn.write('GET / HTTP/1.0\r\nHost: behind\r\n\r\n')
  expect(await text(conn)).toMatch(/hello$/)
  const { status, stderr } = await running.stop()
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  const said = JSON.stringify(running.events)
  expect(said).not.toContain(secretPath)
  expect(said).not.toContain('bridge.example')
})
