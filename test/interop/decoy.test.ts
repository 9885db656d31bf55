/** The decoys beside a real nginx: byte by byte what it says, but for the date. */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'vitest'
import { afterAll, expect, test } from 'vitest'
import { Args } from '../../src/ipc/index.ts'
import { webtunnel } from '../../src/transports/webtunnel/index.ts'
import { drain } from '../io/streams.ts'
import { serverOptions } from '../launch-options.ts'
import { freePort, peer } from '../support.ts'
import { echo, listening } from '../transports/harness.ts'

const folder = mkdtempSync(join(tmpdir(), 'postern-decoy-'))
const site = join(folder, 'www')
mkdirSync(join(site, 'about'), { recursive: true })
writeFileSync(join(folder, 'www/index.html'), '<p>home')
writeFileSync(join(folder, 'www/about/index.html'), '<p>about')
for (const name of ['index.html', 'about/index.html']) utimesSync(join(site, name), 1_700_000_000, 1_700_000_000)

let running: { readonly child: ChildProcess; readonly port: number } | undefined
afterAll(() => {
  running?.child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

/** The port of an nginx whose site is that folder; it is started by the first test that asks. */
async function nginxPort(context: TestContext): Promise<number> {
  if (running !== undefined) return running.port
  const program = peer('nginx', context)
  const port = await freePort()
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  )
  writeFileSync(
    join(folder, 'nginx.conf'),
    `pid ${folder}/pid; error_log /dev/null;
events {}
http {
  access_log off; server_tokens off; absolute_redirect off; ${temporary.join(' ')}
  types { text/html html; }
  server { listen 127.0.0.1:${port}; root ${site}; }
}
`,
  )
  const options = ['-p', folder, '-c', 'nginx.conf', '-g', 'daemon off; master_process off; user root;']
  const child = spawn(program, options, { cwd: folder, stdio: 'ignore' })
  running = { child, port }
  await expect.poll(() => answers(port)).toBe(true)
  return port
}

function answers(port: number): Promise<boolean> {
  const conn = connect(port, '127.0.0.1')
  return new Promise((resolve) =>
    conn.once('connect', () => resolve(true)).once('error', () => resolve(false)),
  ).finally(() => conn.destroy()) as Promise<boolean>
}

/** All that a server says to `text`, whose client then ends. Its dates are taken out. */
async function said(port: number, text: string): Promise<string> {
  const conn = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  await once(conn, 'connect')
  const received = drain(conn)
  conn.write(text, 'latin1')
  // nginx drops what it still has to say to a client that has ended.
  if (!/close\r\n\r\n$|^[^/]/.test(text)) conn.end()
  const all = (await received).toString('latin1')
  conn.destroy()
  return all.replaceAll(/^Date: .* GMT\r\n/gm, '')
}

const last = 'GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n'
const requests: readonly (readonly [what: string, text: string])[] = [
  ['what is not there', last],
  ['two things that are not there', `GET /a HTTP/1.1\r\nHost: h\r\n\r\n${last}`],
  ['the head of what is not there', `HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n${last}`],
  [
    'what is not there, by Chromium',
    `GET /a HTTP/1.1\r\nHost: h\r\nUser-Agent: Mozilla/5.0 Chrome/140.0\r\n\r\n${last}`,
  ],
  [
    'what is not there, by Firefox',
    `GET /a HTTP/1.1\r\nHost: h\r\nUser-Agent: Mozilla/5.0 Firefox/140.0\r\n\r\n${last}`,
  ],
  ['POST', `POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n${last}`],
  ['an upgrade', `GET /a HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n${last}`],
  ['HTTP/1.0', 'GET /a HTTP/1.0\r\nConnection: close\r\n\r\n'],
  ['HTTP/1.0 that stays', `GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n${last}`],
  ['lines that end with LF', `GET /a HTTP/1.1\nHost: h\n\n${last}`],
  ['no host', 'GET /a HTTP/1.1\r\nConnection: close\r\n\r\n'],
  ['two hosts', 'GET /a HTTP/1.1\r\nHost: h\r\nHost: h\r\nConnection: close\r\n\r\n'],
  ['no method', 'get /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n'],
  ['a hello of TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ['the banner of SSH', 'SSH-2.0-OpenSSH_9.2p1\r\n'],
  ['a request line that is too long', `GET /${'a'.repeat(10_000)} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`],
]

const pages: readonly (readonly [what: string, text: string])[] = [
  ['a page', `GET / HTTP/1.1\r\nHost: h\r\n\r\n${last}`],
  ['the head of a page', `HEAD / HTTP/1.1\r\nHost: h\r\n\r\n${last}`],
  ['the page of a folder', `GET /about/ HTTP/1.1\r\nHost: h\r\n\r\n${last}`],
  ['a folder without its slash', `GET /about HTTP/1.1\r\nHost: h\r\n\r\n${last}`],
  ['a page that the browser has', `GET / HTTP/1.1\r\nHost: h\r\nIf-None-Match: "6553f100-7"\r\n\r\n${last}`],
  [
    'a page since a date',
    `GET / HTTP/1.1\r\nHost: h\r\nIf-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\n\r\n${last}`,
  ],
  ['POST to a page', `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n${last}`],
]

/** Accept-Ranges is left out: no part of a page is served. */
function withoutRanges(text: string): string {
  return text.replaceAll('Accept-Ranges: bytes\r\n', '')
}

test('a server without a site says what nginx says for what is not there, and for what is no request', async (context) => {
  const port = await nginxPort(context)
  const args = Args.from({ url: 'https://h/secret', decoy: 'nginx' })
  const ours = await listening(await webtunnel.server(serverOptions({ stateDir: folder, args })), echo)
  const ourPort = Number(ours.split(':')[1])
  for (const [what, text] of requests) expect([what, await said(ourPort, text)]).toEqual([what, await said(port, text)])
})

test('a server with a site says what nginx says for its pages', async (context) => {
  const port = await nginxPort(context)
  const args = Args.from({ url: 'https://h/secret', decoy: site })
  const ours = await listening(await webtunnel.server(serverOptions({ stateDir: folder, args })), echo)
  const ourPort = Number(ours.split(':')[1])
  for (const [what, text] of pages)
    expect([what, await said(ourPort, text)]).toEqual([what, withoutRanges(await said(port, text))])
})
