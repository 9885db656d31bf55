/** Web servers that others wrote, with the configuration that `postern webtunnel front` prints, in front of a PT on loopback. */
import type { ChildProcess } from 'node:child_process'
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Address } from 'postern/ipc'
import type { TestContext } from 'vitest'
import { postern } from '../../cli/postern.ts'
import { insideNamespace } from '../../long/namespace.ts'
import { freePort, peer, tempDir, timePasses } from '../../support.ts'
import { authority } from '../../tls/authority.ts'

export const host = 'bridge.example'
/** It must be found in no log. */
export const secretPath = '/kTq8Zr2LwXc5Vb7Nm9Pd4Sf6'

export type FrontKind = 'nginx' | 'caddy' | 'haproxy' | 'haproxy in mode http' | 'haproxy with a site'

/** What the site has at /. */
export const sitePage = 'a site like any other'

/** In front of any pair of programs. */
export const frontKinds: readonly FrontKind[] = ['nginx', 'caddy', 'haproxy']

const { root, leaf } = authority([host], { addresses: ['198.51.100.7'] })

/** The root that has signed the certificate, in PEM. */
export const rootPem: string = root.pem

/** lyrebird's hash of the chain, which is one certificate. */
export const pin: string = createHash('sha256').update(leaf.der).digest('base64')

export interface Front extends AsyncDisposable {
  readonly kind: FrontKind
  readonly port: number
  readonly url: string
  /** What a client needs besides the root: the url, and the address in place of a look-up. */
  readonly args: { readonly url: string; readonly addr: string }
  /** All that it has written: its output, and its log files. */
  readonly written: () => string
}

export interface FrontOptions {
  readonly kind: FrontKind
  /** One with a port; without it there is one with `secretPath`. */
  readonly url?: string
  readonly ptPort: number
  /** An address that takes the place of the name and of loopback, where nothing else runs. */
  readonly address?: string | undefined
}

/** Starts a front of the PT that listens, or will listen, on `ptPort`. */
export async function startFront(
  context: TestContext,
  { kind, ptPort, address, url: given }: FrontOptions,
): Promise<Front> {
  const dir = mkdtempSync(join(tmpdir(), 'postern-front-'))
  // The address is in the url for a client that has no other argument for it.
  const url = given ?? `https://${address ?? host}:${await freePort()}${secretPath}`
  const port = Number(new URL(url).port)
  const bind = address ?? '127.0.0.1'
  const [program = ''] = kind.split(' ')
  const site = kind === 'haproxy with a site' ? await startSite() : undefined
  const configuration = printed({ kind, program, url, ptPort, dir, bind, site: site?.port })
  const child = starters[program as keyof typeof starters](context, dir, configuration)
  let output = ''
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk: Buffer) => (output += String(chunk)))
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    await site?.stop()
    rmSync(dir, { recursive: true, force: true })
  }
  try {
    await untilOpen({ host: bind, port }, child, () => output)
  } catch (error) {
    await stop()
    throw error
  }
  return {
    kind,
    port,
    url,
    args: { url, addr: `${bind}:${port}` },
    written: () => [output, ...['access.log', 'error.log'].map((name) => contentOf(join(dir, name)))].join('\n'),
    [Symbol.asyncDispose]: stop,
  }
}

interface Printed {
  readonly kind: FrontKind
  readonly program: string
  readonly url: string
  readonly ptPort: number
  readonly dir: string
  readonly bind: string
  readonly site: number | undefined
}

async function startSite(): Promise<{ port: number; stop: () => Promise<void> }> {
  const server = createServer((_request, response) => response.end(sitePage)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const stop = async (): Promise<void> => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return { port: (server.address() as AddressInfo).port, stop }
}

/** The configuration, as an operator gets it. */
function printed({ kind, program, url, ptPort, dir, bind, site }: Printed): string {
  mkdirSync(join(dir, 'www'))
  writeFileSync(join(dir, 'www', 'index.html'), sitePage)
  writeFileSync(join(dir, 'cert.pem'), leaf.pem)
  writeFileSync(join(dir, 'key.pem'), leaf.keyPem)
  writeFileSync(join(dir, 'both.pem'), leaf.pem + leaf.keyPem)
  writeFileSync(join(dir, 'options'), `url=${url}\n`, { mode: 0o600 })
  const own =
    program === 'haproxy'
      ? [
          '--cert',
          join(dir, 'both.pem'),
          ...(kind.endsWith('http') ? ['--mode', 'http'] : []),
          ...(site === undefined ? [] : ['--site', `127.0.0.1:${site}`]),
        ]
      : ['--cert', join(dir, 'cert.pem'), '--key', join(dir, 'key.pem'), '--root', join(dir, 'www')]
  const common = ['--option-file', join(dir, 'options'), '--listen', `127.0.0.1:${ptPort}`, '--bind', bind]
  const { status, stdout, stderr } = postern(['webtunnel', 'front', program, ...common, ...own])
  if (status !== 0 || stderr !== '') throw new Error(stderr)
  return stdout
}

/** What a program says of a configuration that is printed for every address of the machine; null for one that it takes. */
export async function objectionTo(
  context: TestContext,
  program: 'nginx' | 'caddy' | 'haproxy',
): Promise<string | null> {
  const dir = tempDir()
  const file = (name: string, text: string): string => {
    writeFileSync(join(dir, name), text)
    return join(dir, name)
  }
  const [cert, key] = [file('cert.pem', leaf.pem), file('key.pem', leaf.keyPem)]
  const own = {
    nginx: ['--cert', cert, '--key', key],
    caddy: [],
    haproxy: ['--cert', file('both.pem', leaf.pem + leaf.keyPem), '--site', '127.0.0.1:8080'],
  }
  const port = program === 'caddy' ? '' : `:${await freePort()}`
  const { stdout } = postern([
    'webtunnel',
    'front',
    program,
    '--url',
    `https://${host}${port}${secretPath}`,
    ...own[program],
  ])
  const configuration = file('configuration', stdout)
  const command = {
    nginx: ['-t', '-p', dir, '-e', 'stderr', '-c', file('nginx.conf', nginxConf(dir, configuration))],
    caddy: ['validate', '--config', configuration, '--adapter', 'caddyfile'],
    haproxy: ['-c', '-f', configuration],
  }
  const env = { PATH: process.env['PATH'], HOME: dir, XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir }
  const { status, stderr } = spawnSync(peer(program, context), command[program], { env, encoding: 'utf8' })
  return status === 0 ? null : stderr
}

const starters = { nginx, caddy, haproxy } as const

function nginx(context: TestContext, dir: string, configuration: string): ChildProcess {
  writeFileSync(join(dir, 'bridge'), configuration)
  writeFileSync(join(dir, 'nginx.conf'), nginxConf(dir, join(dir, 'bridge')))
  const args = ['-p', dir, '-c', 'nginx.conf', '-e', `${dir}/error.log`]
  const foreground = 'daemon off; master_process off;'
  // Started by root it would serve as another user, who may not enter this folder.
  const user = process.getuid?.() === 0 ? ' user root;' : ''
  return spawn(peer('nginx', context), [...args, '-g', `${foreground}${user}`], { cwd: dir })
}

/** Includes what is printed as Debian's nginx.conf includes sites-enabled/, with the numbers that its first lines ask for. */
function nginxConf(dir: string, file: string): string {
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((one) => `${one}_temp_path ${dir}/${one};`)
  return `pid ${dir}/pid; worker_rlimit_nofile 16384;
events { worker_connections 8192; }
http {
  ${folders.join(' ')}
  access_log ${dir}/access.log; error_log ${dir}/error.log;
  include ${file};
}
`
}

/** What is printed, but that several run at once here, of which one alone could have the port for its administrator. */
function caddy(context: TestContext, dir: string, configuration: string): ChildProcess {
  const text = insideNamespace ? configuration : configuration.replace(/^\{$/m, '{\n\tadmin off')
  writeFileSync(join(dir, 'Caddyfile'), text)
  const env = { PATH: process.env['PATH'], HOME: dir, XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir }
  return spawn(peer('caddy', context), ['run', '--config', join(dir, 'Caddyfile'), '--adapter', 'caddyfile'], { env })
}

function haproxy(context: TestContext, dir: string, configuration: string): ChildProcess {
  writeFileSync(join(dir, 'haproxy.cfg'), configuration)
  return spawn(peer('haproxy', context), ['-db', '-f', join(dir, 'haproxy.cfg')])
}

/** Programs like these do not say when they listen, so the port is asked, a hundred times at most. */
async function untilOpen(address: Address, child: ChildProcess, output: () => string): Promise<void> {
  for (let tries = 0; ; tries++) {
    if (child.exitCode !== null) throw new Error(`the front ended: ${output()}`)
    const conn = connect(address)
    try {
      await once(conn, 'connect')
      return
    } catch (error) {
      if (tries === 200) throw new Error(`the front does not listen: ${output()}`, { cause: error })
      await timePasses(50)
    } finally {
      conn.destroy()
    }
  }
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
