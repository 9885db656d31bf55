/** TLS servers that others wrote, each on loopback until the test has finished. */
import type { ChildProcess } from 'node:child_process'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'vitest'
import { onTestFinished } from 'vitest'
import { freePort, peer, tempDir, timePasses } from '../support.ts'
import { authority } from './authority.ts'

export const host = 'bridge.example'
const { root, leaf } = authority([host], { key: 'rsa2048' })

export { root }

/** What a server is told to do. */
export interface Wanted {
  /** The one group that it agrees to, by its name in TLS; it is one that the hello has no share of. */
  readonly group?: 'secp384r1' | 'secp521r1'
  readonly tls12?: boolean
}

export interface Running {
  connect(): Promise<Socket>
  /** Sends what it is given to the server's standard input. */
  readonly stdin: (text: string) => void
  /** What the server has printed so far. */
  readonly printed: () => string
}

/** Every server answers a request for a page with 200 and a body that ends with this. */
export const greeting = 'hello from the far side'
/** A page that is as long as this, in bytes. */
export const PAGE_LENGTH = 20_000_000

interface Files {
  readonly dir: string
  readonly cert: string
  readonly key: string
}

/** A folder with the certificate, its key, and two pages. */
function files(): Files {
  const dir = tempDir()
  const [cert, key] = [join(dir, 'cert.pem'), join(dir, 'key.pem')]
  writeFileSync(cert, leaf.pem)
  writeFileSync(key, leaf.keyPem)
  writeFileSync(join(dir, 'both.pem'), leaf.pem + leaf.keyPem)
  mkdirSync(join(dir, 'www'))
  writeFileSync(join(dir, 'www', 'index.html'), greeting)
  writeFileSync(join(dir, 'www', 'page'), Buffer.alloc(PAGE_LENGTH, 'postern'))
  return { dir, cert, key }
}

const openSslGroup = { secp384r1: 'P-384', secp521r1: 'P-521' } as const

/** `openssl s_server` with more options of its own; -WWW serves the files of a folder. */
export async function openssl(context: TestContext, wanted: Wanted = {}, more = ['-WWW']): Promise<Running> {
  const { dir, cert, key } = files()
  const port = await freePort()
  const options = ['-accept', `127.0.0.1:${port}`, '-cert', cert, '-key', key]
  if (wanted.group !== undefined) options.push('-groups', openSslGroup[wanted.group])
  if (wanted.tls12 === true) options.push('-tls1_2')
  return await running(
    spawn(peer('openssl', context), ['s_server', ...options, ...more], { cwd: join(dir, 'www') }),
    port,
  )
}

/** Go's crypto/tls, which answers a request or sends back what comes. */
export async function go(context: TestContext, wanted: Wanted = {}): Promise<Running> {
  const { dir, cert, key } = files()
  const program = peer('go', context)
  const group = { secp384r1: 'tls.CurveP384', secp521r1: 'tls.CurveP521' }
  writeFileSync(
    join(dir, 'main.go'),
    `package main
import ("crypto/tls"; "io"; "net"; "os"; "strings")
func main() {
  cert, _ := tls.LoadX509KeyPair(os.Args[2], os.Args[3])
  config := &tls.Config{Certificates: []tls.Certificate{cert}}
  ${wanted.group === undefined ? '' : `config.CurvePreferences = []tls.CurveID{${group[wanted.group]}}`}
  ${wanted.tls12 === true ? 'config.MaxVersion = tls.VersionTLS12' : ''}
  listener, err := tls.Listen("tcp", os.Args[1], config)
  if err != nil { panic(err) }
  for {
    conn, err := listener.Accept()
    if err != nil { return }
    go func(conn net.Conn) {
      defer conn.Close()
      head := make([]byte, 4096)
      n, _ := conn.Read(head)
      if strings.HasPrefix(string(head[:n]), "GET ") {
        io.WriteString(conn, "HTTP/1.0 200 OK\\r\\n\\r\\n")
        if strings.HasPrefix(string(head[:n]), "GET /page") {
          conn.Write(make([]byte, ${PAGE_LENGTH}))
        } else {
          io.WriteString(conn, "${greeting}")
        }
        return
      }
      conn.Write(head[:n])
      io.Copy(conn, conn)
    }(conn)
  }
}
`,
  )
  const built = join(dir, 'server')
  const env = { ...process.env, GO111MODULE: 'off' }
  const { status, stderr } = spawnSync(program, ['build', '-o', built, 'main.go'], { cwd: dir, env, encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  const port = await freePort()
  return await running(spawn(built, [`127.0.0.1:${port}`, cert, key]), port)
}

export async function nginx(context: TestContext, wanted: Wanted = {}): Promise<Running> {
  const { dir, cert, key } = files()
  const port = await freePort()
  writeFileSync(
    join(dir, 'nginx.conf'),
    `pid ${dir}/pid; error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy; fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi; scgi_temp_path ${dir}/scgi;
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${cert}; ssl_certificate_key ${key};
    ssl_protocols ${wanted.tls12 === true ? 'TLSv1.2' : 'TLSv1.2 TLSv1.3'};
    ${wanted.group === undefined ? '' : `ssl_ecdh_curve ${wanted.group};`}
    location / { root ${dir}/www; }
  }
}
`,
  )
  return await running(
    spawn(peer('nginx', context), ['-p', dir, '-c', 'nginx.conf', '-g', 'daemon off; master_process off; user root;'], {
      cwd: dir,
    }),
    port,
  )
}

export async function haproxy(context: TestContext, wanted: Wanted = {}): Promise<Running> {
  const { dir } = files()
  const port = await freePort()
  const options = [
    ...(wanted.group === undefined ? [] : ['curves', openSslGroup[wanted.group]]),
    ...(wanted.tls12 === true ? ['ssl-max-ver', 'TLSv1.2'] : []),
  ].join(' ')
  writeFileSync(
    join(dir, 'haproxy.cfg'),
    `defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend tls
  bind 127.0.0.1:${port} ssl crt ${dir}/both.pem ${options}
  http-request return status 200 content-type text/plain string "${greeting}"
`,
  )
  return await running(spawn(peer('haproxy', context), ['-db', '-f', join(dir, 'haproxy.cfg')]), port)
}

export async function caddy(context: TestContext, wanted: Wanted = {}): Promise<Running> {
  const { dir, cert, key } = files()
  const port = await freePort()
  writeFileSync(
    join(dir, 'Caddyfile'),
    `{
  admin off
  auto_https off
}
https://${host}:${port} {
  bind 127.0.0.1
  tls ${cert} ${key} {
    ${wanted.group === undefined ? '' : `curves ${wanted.group}`}
    ${wanted.tls12 === true ? 'protocols tls1.2 tls1.2' : ''}
  }
  root * ${dir}/www
  file_server
}
`,
  )
  const env = { PATH: process.env['PATH'], HOME: dir, XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir }
  const args = ['run', '--config', join(dir, 'Caddyfile'), '--adapter', 'caddyfile']
  return await running(spawn(peer('caddy', context), args, { env }), port)
}

/**
 * gnutls-serv listens on every address and cannot be told otherwise, so it runs in a network namespace of its own; connections come in
 * through a socket of the file system.
 */
export async function gnutls(context: TestContext, wanted: Wanted = {}): Promise<Running> {
  const { dir, cert, key } = files()
  const [unshare, serv] = [peer('unshare', context), peer('gnutls-serv', context)]
  if (process.getuid?.() !== 0) context.skip('needs root, for a network namespace')
  const group = { secp384r1: 'GROUP-SECP384R1', secp521r1: 'GROUP-SECP521R1' }
  const priority = [
    'NORMAL',
    ...(wanted.group === undefined ? [] : ['-GROUP-ALL', `+${group[wanted.group]}`]),
    ...(wanted.tls12 === true ? ['-VERS-ALL', '+VERS-TLS1.2'] : []),
  ].join(':')
  const path = join(dir, 'socket')
  const bridge = `const net = require('net')
net.createServer((near) => {
  const far = net.connect(5556, '127.0.0.1')
  for (const conn of [near, far]) conn.on('error', () => {})
  near.pipe(far).pipe(near)
}).listen(process.argv[1])`
  const script = `ip link set lo up
"$1" --http --quiet -p 5556 --x509certfile "$4" --x509keyfile "$5" --priority "$6" &
exec "$2" -e "$3" "$7"`
  const programs = [serv, process.execPath, bridge]
  const args = [
    '-n',
    '--pid',
    '--fork',
    '--kill-child',
    'sh',
    '-c',
    script,
    'sh',
    ...programs,
    cert,
    key,
    priority,
    path,
  ]
  return await running(spawn(unshare, args), path)
}

/** tlslite-ng, which is written in Python. */
export async function tlslite(context: TestContext, wanted: Wanted = {}): Promise<Running> {
  const { dir, cert, key } = files()
  const port = await freePort()
  const program = peer('tlslite-server', context)
  const options = wanted.tls12 === true ? ['--max-ver', 'tls1.2'] : []
  return await running(
    spawn(program, ['server', '-c', cert, '-k', key, ...options, `127.0.0.1:${port}`], { cwd: join(dir, 'www') }),
    port,
  )
}

/** Waits until a server accepts; it is gone with its test. */
async function running(child: ChildProcess, address: number | string): Promise<Running> {
  let printed = ''
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk: Buffer) => (printed += String(chunk)))
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  })
  const open = async (): Promise<Socket> => {
    const conn = typeof address === 'number' ? connect(address, '127.0.0.1') : connect(address)
    onTestFinished(() => void conn.destroy())
    await once(conn, 'connect')
    return conn
  }
  for (let tries = 0; ; tries++) {
    if (child.exitCode !== null) throw new Error(`the server ended: ${printed}`)
    try {
      ;(await open()).destroy()
      break
    } catch (error) {
      if (tries === 200) throw error
      await timePasses(50)
    }
  }
  return { connect: open, stdin: (text) => void child.stdin!.write(text), printed: () => printed }
}
