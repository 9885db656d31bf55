/** A client of meek and our server, and what may stand between them. */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { launchClient } from 'postern/parent'
import type { TestContext } from 'vitest'
import { expect, onTestFinished } from 'vitest'
import { freePort, peer, root, tempDir } from '../support.ts'
import { authority } from '../tls/authority.ts'
import type { Served } from '../transports/meek/served.ts'
import { serveMeek } from '../transports/meek/served.ts'

export type MeekClient = 'obfs4proxy' | 'lyrebird' | 'postern'

const issued = authority(['localhost'], { addresses: ['127.0.0.1'] })
const PATH = '/4wKcb2nPq7'

interface Files {
  readonly dir: string
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** Brings requests to the server, and gives the address for clients. */
export interface Way {
  readonly name: string
  /** What clients are told besides the url. */
  readonly args?: Readonly<Record<string, string>>
  readonly isSecure?: boolean
  readonly front?: (context: TestContext, files: Files, server: number) => Promise<string>
}

export interface Pair {
  readonly near: Duplex
  readonly far: Duplex
  readonly server: Served
}

export async function meekPair(context: TestContext, program: MeekClient, way: Way): Promise<Pair> {
  const files = newFiles()
  const { cert, key } = files
  const ownTls = way.isSecure === true ? { 'tls-cert': cert, 'tls-key': key } : {}
  const server = await serveMeek({ noRequestFor: 8_000 }, { path: PATH, ...ownTls })
  const direct = `${way.isSecure === true ? 'https' : 'http'}://127.0.0.1:${server.port}`
  const origin = way.front === undefined ? direct : await way.front(context, files, server.port)
  const pt = await launchClient({
    exec: program === 'postern' ? [process.execPath, join(root, 'dist/cli/main.js'), 'pt'] : peer(program, context),
    transports: ['meek_lite'],
    stateDir: files.dir,
    restart: false,
    env: { PATH: process.env['PATH'] ?? '', SSL_CERT_FILE: files.ca },
  })
  onTestFinished(async () => void (await pt.stop()))
  const args = { url: `${origin}${PATH}`, ...way.args }
  const near = (await pt.connect('meek_lite', '192.0.2.1:80', { args })).on('error', () => undefined)
  onTestFinished(() => void near.destroy())
  const { stream } = await server.next()
  return { near, far: stream.on('error', () => undefined), server }
}

function newFiles(): Files {
  const dir = tempDir()
  const [ca, cert, key] = ['ca.pem', 'cert.pem', 'key.pem'].map((name) => join(dir, name)) as [string, string, string]
  writeFileSync(ca, issued.root.pem)
  writeFileSync(cert, issued.leaf.pem)
  writeFileSync(key, issued.leaf.keyPem)
  return { dir, ca, cert, key }
}

/** A configuration of docs/meek.md, with ports and files of this test. */
function documented(name: string, { cert, key }: Files, server: number, port: number): string {
  const text = readFileSync(join(root, 'docs/meek.md'), 'utf8')
  const block = new RegExp(`<!-- file: ${name} -->\\n\\n\`\`\`\\w+\\n(.*?)\\n\`\`\``, 's').exec(text)![1]!
  return block
    .replace('127.0.0.1:8080', `127.0.0.1:${server}`)
    .replace('listen 443', `listen 127.0.0.1:${port}`)
    .replace('bridge.example {', `127.0.0.1:${port} {\n  bind 127.0.0.1\n  tls ${cert} ${key}`)
    .replace('server_name bridge.example', 'server_name localhost')
    .replace(/\S+fullchain\.pem/, cert)
    .replace(/\S+privkey\.pem/, key)
}

export async function nginx(context: TestContext, files: Files, server: number): Promise<string> {
  const { dir } = files
  const port = await freePort()
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((one) => `${one}_temp_path ${dir}/${one};`)
  const http = `access_log off; ${folders.join(' ')}\n${documented('meek.nginx.conf', files, server, port)}`
  writeFileSync(join(dir, 'nginx.conf'), `pid ${dir}/pid; error_log /dev/null;\nevents {}\nhttp {\n${http}\n}\n`)
  const options = ['-p', dir, '-c', 'nginx.conf', '-g', 'daemon off; master_process off; user root;']
  return await started(spawn(peer('nginx', context), options, { cwd: dir, stdio: 'ignore' }), port)
}

export async function caddy(context: TestContext, files: Files, server: number): Promise<string> {
  const { dir } = files
  const port = await freePort()
  const site = documented('meek.Caddyfile', files, server, port)
  writeFileSync(join(dir, 'Caddyfile'), `{\n  admin off\n  auto_https off\n}\n${site}\n`)
  const env = { PATH: process.env['PATH'], HOME: dir, XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir }
  const args = ['run', '--config', join(dir, 'Caddyfile'), '--adapter', 'caddyfile']
  return await started(spawn(peer('caddy', context), args, { env, stdio: 'ignore' }), port)
}

/** The origin of a front, once it accepts connections. It ends with the test. */
async function started(child: ChildProcess, port: number): Promise<string> {
  const over = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await over
  })
  const answers = async (): Promise<boolean> => {
    const conn = connect(port, '127.0.0.1')
    const isOpen = await new Promise<boolean>((resolve) => {
      conn.once('connect', () => resolve(true)).once('error', () => resolve(false))
    })
    conn.destroy()
    return isOpen
  }
  await expect.poll(answers).toBe(true)
  return `https://127.0.0.1:${port}`
}
