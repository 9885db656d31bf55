/**
 * `postern demo`: both sides of the IPC at work, on 127.0.0.1 alone and with no other program.
 *
 *     this process (parent) ── PT client ══ transport ══ PT server ── web server in this process
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import type { ClientPt, ServerPt } from '../../parent/index.ts'
import { launchClient, launchServer } from '../../parent/index.ts'
import { builtIns } from '../../transports/index.ts'
import { atFirstSignal } from '../signals.ts'
import { parseArguments, UsageError } from '../usage.ts'
import { download, exchange, formatRequest } from './download.ts'
import type { Observer } from './observer.ts'
import { observe } from './observer.ts'
import type { Screen } from './screen.ts'
import { createScreen, megabytes } from './screen.ts'
import { helloRows, recordsIn } from './tls-view.ts'
import type { Way } from './ways.ts'
import { openWay } from './ways.ts'
import type { WebServer } from './web-server.ts'
import { makeFile, serveFile } from './web-server.ts'

const help = `Usage: postern demo [TRANSPORT] [options]

Fetches a file through a pluggable transport on this machine alone: this program is the parent of two PT processes, shows
what they say to each other, and checks the file by its SHA-256. With webtunnel a web server of this process is between them.

Options:
  --size MIB          size of the file, 1 to 4096 (default 64)
  --transport NAME    obfs2, obfs3, obfs4 (default), scramblesuit or webtunnel
  --help
`

export const options = {
  size: { type: 'string', default: '64' },
  transport: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

const main = fileURLToPath(new URL('../main.js', import.meta.url))

/** Each ends the demo as it should end, its processes and files with it; SIGHUP is a terminal that was closed. */
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Of a connection that speaks TLS: the hello, the request for the tunnel, and the answer. */
const TLS_LIMIT = 8_192

interface Demo {
  readonly screen: Screen
  readonly dir: string
  readonly transport: string
  readonly size: number
  readonly signal: AbortSignal
  readonly way: Way
}

/** Returns the exit status: 0 when the file arrived whole. Throws UsageError. */
export async function run(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseArguments({ args: [...argv], options, allowPositionals: true })
  if (values.help === true) {
    process.stdout.write(help)
    return 0
  }
  const size = parseSize(values.size)
  const transport = parseTransport(positionals, values.transport)
  const stop = new AbortController()
  const abort = (): void => stop.abort(new Error('interrupted'))
  const done = atFirstSignal(signals, abort)
  // `| head` may hang up; what is printed after that is lost, and the demo ends as if it were interrupted.
  process.stdout.on('error', abort)
  const dir = await mkdtemp(join(tmpdir(), 'postern-demo-'))
  try {
    await using way = await openWay(transport)
    return await show({ screen: createScreen(process.stdout), dir, transport, size, signal: stop.signal, way })
  } catch (error) {
    // After an interruption the error may be whatever it broke first.
    throw stop.signal.aborted ? stop.signal.reason : error
  } finally {
    await rm(dir, { recursive: true, force: true })
    done()
  }
}

/** Reads a size in MiB and returns it in bytes. */
function parseSize(mebibytes: string): number {
  const size = /^\d{1,4}$/.test(mebibytes) ? Number(mebibytes) : 0
  if (size < 1 || size > 4096) throw new UsageError(`--size ${mebibytes}: expected a number of MiB from 1 to 4096`)
  return size * 2 ** 20
}

/** The transport as a word, or by its option. The demo needs both ends, and meek's client has no other end under its name. */
function parseTransport([word, surplus]: readonly string[], flag: string | undefined): string {
  if (surplus !== undefined) throw new UsageError(`Unexpected argument ${JSON.stringify(surplus)}`)
  if (word !== undefined && flag !== undefined) throw new UsageError('--transport: TRANSPORT alone is enough')
  const name = word ?? flag ?? 'obfs4'
  const names = builtIns.map((builtIn) => builtIn.name).filter((one) => !one.startsWith('meek'))
  if (names.includes(name)) return name
  throw new UsageError(`${word === undefined ? `--transport ${name}` : name}: expected one of ${names.join(', ')}`)
}

async function show(demo: Demo): Promise<number> {
  const { screen, dir, transport, size, way } = demo
  screen.line('Postern: a file through a pluggable transport, on this machine alone')
  screen.line(`  parent ── PT client ${way.picture} ── service`)
  const path = join(dir, 'file')
  const sha256 = await makeFile(path, size)
  await using web = await serveFile(path)

  screen.heading('The PT server is launched; it says where it listens, and what clients need')
  const serverStart = performance.now()
  await using server = await launchPtServer(demo, web)
  const serverReady = performance.now() - serverStart

  screen.heading('The PT client is launched; it says where its SOCKS port is')
  const clientStart = performance.now()
  await using client = await launchPtClient(demo)
  const clientReady = performance.now() - clientStart

  screen.heading('What an observer of the wire sees of one request, from its first byte')
  await showWire(demo, server, client)

  screen.heading(`The file: ${megabytes(size)}, fetched through the transport`)
  const method = server.methods.get(transport)!
  const { target, args } = way.dial(method, way.arrival(method))
  const conn = await client.connect(transport, target, { args, signal: demo.signal })
  const result = await download(conn, '/file', demo.signal, (done, seconds) => screen.progress(done, size, seconds))

  screen.heading('Both are stopped')
  await Promise.all([client.stop(), server.stop()])

  const whole = result.bytes === size && result.sha256 === sha256
  screen.heading('Summary')
  screen.facts([
    ['bytes', `${result.bytes} of ${size}`],
    ['SHA-256', `${result.sha256.slice(0, 16)}… ${whole ? 'as it should be' : `and not ${sha256.slice(0, 16)}…`}`],
    ['speed', `${megabytes(result.bytes / result.seconds)}/s`],
    ['time to ready', `server ${serverReady.toFixed(0)} ms, client ${clientReady.toFixed(0)} ms`],
  ])
  if (whole) showNext(screen)
  return whole ? 0 : 1
}

async function launchPtServer({ screen, dir, transport, signal, way }: Demo, web: WebServer): Promise<ServerPt> {
  const pt = await launchServer({
    exec: [process.execPath, main, 'pt'],
    transports: [{ name: transport, bindAddress: way.bindAddress, options: way.options }],
    stateDir: join(dir, 'server'),
    destination: { type: 'orPort', address: web.address },
    restart: false,
    signal,
    onEvent: (event) => screen.said('server', event),
  })
  return pt
}

async function launchPtClient({ screen, dir, transport, signal }: Demo): Promise<ClientPt> {
  return await launchClient({
    exec: [process.execPath, main, 'pt'],
    transports: [transport],
    stateDir: join(dir, 'client'),
    restart: false,
    signal,
    onEvent: (event) => screen.said('client', event),
  })
}

async function showWire({ screen, transport, signal, way }: Demo, server: ServerPt, client: ClientPt): Promise<void> {
  const method = server.methods.get(transport)!
  const plain = formatRequest('/hello')
  const isTls = transport === 'webtunnel'
  await using observer = await observe(way.arrival(method), isTls ? TLS_LIMIT : plain.length)
  const { target, args } = way.dial(method, observer.address)
  const conn = await client.connect(transport, target, { args, signal })
  const answer = await exchange(conn, plain, signal)
  if (isTls) showTls(screen, plain, observer)
  else screen.wire(plain, observer.seen())
  screen.line(`  The answer that came back: ${answer.trim()}`)
}

/** What the application says, and beside it all that an observer can read. */
function showTls(screen: Screen, plain: Buffer, observer: Observer): void {
  screen.facts([
    ['the application', `${plain.toString('latin1').split('\r\n', 1)[0]} … (${plain.length} bytes)`],
    ...helloRows(observer.seen()),
    ['client → server', recordsIn(observer.seen())],
    ['server → client', recordsIn(observer.answered())],
  ])
}

function showNext(screen: Screen): void {
  screen.heading('Try next')
  screen.facts([
    ['npm test', 'every test, real tor and obfs4proxy among the peers if they are installed'],
    ['node dist/cli/main.js --help', 'the commands'],
    ['docs/write-a-transport.md', 'a transport of your own in one file'],
  ])
}
