/** Our client and our server of meek with a web server between them, which speaks HTTP/2 to the client and HTTP/1.1 to the server. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { readExactly } from 'postern/io'
import type { TestContext } from 'vitest'
import { describe, expect, onTestFinished, test } from 'vitest'
import { freePort, peer, tempDir, timePasses } from '../support.ts'
import { dial } from '../transports/meek/scripted-front.ts'
import { credentials, trustRoot } from '../transports/meek/secure-front.ts'
import { serveMeek } from '../transports/meek/served.ts'

const SIZE = 8 << 20

type Front = 'nginx' | 'caddy'

/** What each is told: where it listens, and what it passes requests on to. */
const commands: Record<Front, (dir: string, port: number, server: number) => string[]> = {
  nginx(dir, port, server) {
    writeFileSync(
      join(dir, 'nginx.conf'),
      `pid ${dir}/pid; error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy; fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi; scgi_temp_path ${dir}/scgi;
  upstream meek { server 127.0.0.1:${server}; keepalive 8; }
  server {
    listen 127.0.0.1:${port} ssl http2;
    ssl_certificate ${dir}/cert.pem; ssl_certificate_key ${dir}/key.pem; ssl_protocols TLSv1.2 TLSv1.3;
    location / { proxy_pass http://meek; proxy_http_version 1.1; proxy_set_header Connection ""; gzip on; gzip_types application/octet-stream; }
  }
}
`,
    )
    return ['-p', dir, '-c', 'nginx.conf', '-g', 'daemon off; master_process off; user root;']
  },
  caddy(dir, port, server) {
    writeFileSync(
      join(dir, 'Caddyfile'),
      `{
  admin off
  auto_https off
}
https://front.example:${port} {
  bind 127.0.0.1
  tls ${dir}/cert.pem ${dir}/key.pem
  reverse_proxy 127.0.0.1:${server}
}
`,
    )
    return ['run', '--adapter', 'caddyfile', '--config', join(dir, 'Caddyfile')]
  },
}

async function isOpen(port: number): Promise<boolean> {
  const conn = connect(port, '127.0.0.1')
  return await new Promise((resolve) => {
    conn
      .once('error', () => resolve(false))
      .once('connect', () => {
        conn.destroy()
        resolve(true)
      })
  })
}

/** Starts the front before a server at port `server`; its port. */
async function startFront(context: TestContext, front: Front, server: number): Promise<number> {
  const dir = tempDir()
  writeFileSync(join(dir, 'cert.pem'), credentials.cert)
  writeFileSync(join(dir, 'key.pem'), credentials.key)
  const port = await freePort()
  const env = { ...process.env, HOME: dir, XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir }
  const child = spawn(peer(front, context), commands[front](dir, port, server), {
    cwd: dir,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += String(chunk)))
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  for (let tries = 0; !(await isOpen(port)); tries++) {
    if (child.exitCode !== null || tries === 200) throw new Error(`${front} does not listen: ${said}`)
    await timePasses(50)
  }
  return port
}

describe.each(['nginx', 'caddy'] as const)('through %s', (front) => {
  test('8 MiB go each way whole, over connections that the front ends now and then, and the ends are seen', async (context) => {
    trustRoot()
    const server = await serveMeek()
    const port = await startFront(context, front, server.port)
    const near = await dial(port, { args: { url: 'https://front.example/' } })
    const { stream: far } = await server.next()
    const [up, down] = [randomBytes(SIZE), randomBytes(SIZE)]
    near.write(up)
    far.write(down)
    const [upward, downward] = await Promise.all([readExactly(far, SIZE), readExactly(near, SIZE)])
    expect(upward.equals(up)).toBe(true)
    expect(downward.equals(down)).toBe(true)
    // nginx ends a connection after a thousand requests.
    for (let count = 0; count < 1_200; count++) {
      far.write('x')
      await readExactly(near, 1)
    }
    far.end('last')
    near.setEncoding('latin1')
    let last = ''
    near.on('data', (text: string) => (last += text))
    await new Promise((resolve) => near.once('end', resolve).once('error', resolve))
    expect(last).toBe('last')
  }, 300_000)
})
