/**
 * A private tor network on 127.0.0.1: three authorities, three exits, and pairs of a bridge and a client that reaches the
 * rest through the bridge's transport. Bootstraps in about 25 s, however many pairs.
 *
 *     client ── PT client ══ PT server ── bridge ── exit ── web server on 127.0.0.1
 */
import type { ChildProcess } from 'node:child_process'
import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { freePort } from '../support.ts'

/**
 * How long one line of a log is waited for, in milliseconds. Authorities whose votes come too late, as they do on a busy
 * machine, try again every 10 s until they agree.
 */
const PATIENCE = 240_000

export interface TorNetworkOptions {
  readonly tor: string
  readonly torGencert: string
  /** An empty folder for everything that tor writes. */
  readonly dir: string
  readonly pairs: readonly PairOptions[]
}

export interface PairOptions {
  /** Letters and digits only: it becomes part of nicknames. */
  readonly name: string
  readonly transport: string
  /** The name that the client's PT has for it, if that is another one. */
  readonly clientTransport?: string
  /** `ClientTransportPlugin <transport> exec …` and `ServerTransportPlugin <transport> exec …`: program and arguments. */
  readonly clientExec: readonly string[]
  readonly serverExec: readonly string[]
  readonly serverOptions?: string
  /** The port of the server's PT, if something in front of it has to know; otherwise a free one. */
  readonly port?: number
  /** What the bridge line carries behind the fingerprint; the bridge has launched its PT by then. */
  readonly bridgeArgs: (bridge: Tor) => string
  /** More lines for the client's torrc, such as Socks5Proxy. */
  readonly clientLines?: readonly string[]
}

export interface Pair {
  readonly client: Tor
  readonly bridge: Tor
}

export interface TorNetwork extends AsyncDisposable {
  /** By the pair's name. */
  readonly pairs: ReadonlyMap<string, Pair>
}

/** Starts all nodes and resolves when every client has reached 100 % through its bridge, and the exits are ready too. */
export async function startTorNetwork(options: TorNetworkOptions): Promise<TorNetwork> {
  const running: Tor[] = []
  const dispose = async (): Promise<void> => {
    await Promise.all(running.map((tor) => tor.stop()))
  }
  const start = (name: string, lines: readonly string[]): Tor => {
    const tor = new Tor(options, name, lines)
    running.push(tor)
    return tor
  }
  const startPair = async (pair: PairOptions, common: readonly string[]): Promise<[string, Pair]> => {
    const port = pair.port ?? (await freePort())
    const bridge = start(`bridge${pair.name}`, [...common, ...bridgeLines(pair, port)])
    await bridge.logged(new RegExp(`Registered server transport '${pair.transport}'`))
    const transport = pair.clientTransport ?? pair.transport
    const bridgeLine = `Bridge ${transport} 127.0.0.1:${port} ${fingerprintOf(options, bridge.name)} ${pair.bridgeArgs(bridge)}`
    const client = start(`client${pair.name}`, [...common, ...clientLines(pair), bridgeLine.trimEnd()])
    await client.logged(/Bootstrapped 100%/)
    return [pair.name, { client, bridge }]
  }
  try {
    const authorities = await Promise.all(['auth1', 'auth2', 'auth3'].map((name) => prepareAuthority(options, name)))
    const common = authorities.map((authority) => authority.dirAuthority)
    for (const { name, lines } of authorities) start(name, [...common, ...lines])
    const exits = ['exit1', 'exit2', 'exit3'].map((name) => start(name, [...common, ...exitLines]))
    const pairs = new Map(await Promise.all(options.pairs.map((pair) => startPair(pair, common))))
    // An exit that has no consensus yet knows no relays, and refuses the streams of those that it does not know.
    await Promise.all(exits.map((exit) => exit.logged(/Bootstrapped 100%/)))
    return { pairs, [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await dispose()
    throw error
  }
}

/** One tor process: its log, its control connection, its end. */
export class Tor {
  readonly name: string
  readonly log: string[] = []
  readonly #controlLines: string[] = []
  readonly #dir: string
  readonly #process: ChildProcess
  readonly #waiting = new Set<() => void>()
  #control: Promise<Socket> | undefined

  constructor({ tor, dir }: TorNetworkOptions, name: string, lines: readonly string[]) {
    this.name = name
    this.#dir = join(dir, name)
    mkdirSync(this.#dir, { recursive: true, mode: 0o700 })
    const torrc = join(this.#dir, 'torrc')
    writeFileSync(torrc, [...commonLines(name, this.#dir), ...lines, ''].join('\n'))
    this.#process = spawn(tor, ['-f', torrc, '--defaults-torrc', '/nonexistent', '--ignore-missing-torrc'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    createInterface({ input: this.#process.stdout! }).on('line', (line) => this.#take(this.log, line))
    this.#process.once('exit', () => this.#take(this.log, 'postern-test: tor has exited'))
  }

  get pid(): number {
    return this.#process.pid!
  }

  /** The first log line that matches, now or later. Fails when tor exits, or in the end, with the end of the log. */
  logged(pattern: RegExp): Promise<string> {
    return this.#await(this.log, pattern)
  }

  /** Sends one control command and returns its answer's lines. */
  async control(command: string): Promise<string[]> {
    const socket = await this.#controlConnection()
    const from = this.#controlLines.length
    socket.write(`${command}\r\n`)
    await this.#await(this.#controlLines, /^(?:[245]\d\d) /, from)
    const answer = this.#controlLines.slice(from)
    if (!answer.some((line) => line.startsWith('250'))) throw new Error(`${this.name}: ${command}: ${answer.join(' ')}`)
    return answer
  }

  /** The address of the SOCKS port. */
  async socksPort(): Promise<number> {
    const [answer] = await this.control('GETINFO net/listeners/socks')
    return Number(/:(\d+)"/.exec(answer ?? '')![1])
  }

  readFile(name: string): string {
    return readFileSync(join(this.#dir, name), 'utf8')
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const gone = once(this.#process, 'exit')
    this.#process.kill('SIGTERM')
    const force = setTimeout(() => this.#process.kill('SIGKILL'), 5_000)
    await gone
    clearTimeout(force)
  }

  #controlConnection(): Promise<Socket> {
    this.#control ??= this.#openControl()
    return this.#control
  }

  async #openControl(): Promise<Socket> {
    await this.logged(/Opened Control listener/)
    const port = Number(/PORT=[^:]*:(\d+)/.exec(this.readFile('control'))![1])
    const socket = connect(port, '127.0.0.1')
    createInterface({ input: socket }).on('line', (line) => this.#take(this.#controlLines, line.trimEnd()))
    socket.on('error', () => undefined)
    socket.write('AUTHENTICATE\r\n')
    await this.#await(this.#controlLines, /^250 OK/)
    return socket
  }

  #take(lines: string[], line: string): void {
    lines.push(line)
    for (const look of this.#waiting) look()
  }

  #await(lines: readonly string[], pattern: RegExp, from = 0): Promise<string> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        this.#waiting.delete(look)
        clearTimeout(timer)
        act()
      }
      const fail = (why: string): void =>
        settle(() => reject(new Error(`${this.name}: ${why} ${pattern}\n${this.log.slice(-15).join('\n')}`)))
      const look = (): void => {
        const line = lines.slice(from).find((one) => pattern.test(one))
        if (line !== undefined) settle(() => resolve(line))
        else if (this.log.at(-1)?.startsWith('postern-test:')) fail('tor exited before')
      }
      const timer = setTimeout(() => fail(`${PATIENCE / 1000} s without`), PATIENCE)
      this.#waiting.add(look)
      look()
    })
  }
}

/** Fetches `body` from a web server on 127.0.0.1 through an exit of the network. */
export async function fetchThrough(client: Tor, curl: string, body: Buffer): Promise<Buffer> {
  const web = createServer((_request, response) => response.end(body)).listen(0, '127.0.0.1')
  await once(web, 'listening')
  const url = `http://127.0.0.1:${(web.address() as AddressInfo).port}/`
  const proxy = `127.0.0.1:${await client.socksPort()}`
  try {
    const args = ['--silent', '--show-error', '--fail', '--max-time', '60', '--socks5-hostname', proxy, url]
    const { stdout } = await promisify(execFile)(curl, args, { encoding: 'buffer', maxBuffer: 64 << 20 })
    return stdout
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${client.log.slice(-15).join('\n')}`, { cause: error })
  } finally {
    web.close()
  }
}

interface Authority {
  readonly name: string
  readonly dirAuthority: string
  readonly lines: readonly string[]
}

async function prepareAuthority(options: TorNetworkOptions, name: string): Promise<Authority> {
  const keys = join(options.dir, name, 'keys')
  mkdirSync(keys, { recursive: true, mode: 0o700 })
  const [orPort, dirPort] = [await freePort(), await freePort()]
  const file = (part: string): string => join(keys, `authority_${part}`)
  const certificate = file('certificate')
  const made = spawnSync(
    options.torGencert,
    ['--create-identity-key', '--passphrase-fd', '0', '-i', file('identity_key'), '-s', file('signing_key')].concat([
      '-c',
      certificate,
      '-m',
      '12',
      '-a',
      `127.0.0.1:${dirPort}`,
    ]),
    { input: '\n' },
  )
  if (made.status !== 0) throw new Error(`tor-gencert: ${made.stderr.toString()}`)
  const v3Ident = /^fingerprint (\w+)$/m.exec(readFileSync(certificate, 'utf8'))![1]
  const fingerprint = fingerprintOf(options, name)
  return {
    name,
    dirAuthority: `DirAuthority ${name} orport=${orPort} no-v2 v3ident=${v3Ident} 127.0.0.1:${dirPort} ${fingerprint}`,
    lines: [`ORPort ${orPort}`, `DirPort ${dirPort}`, ...authorityLines],
  }
}

/** The fingerprint of a relay before it runs; this also makes its keys. */
function fingerprintOf({ tor, dir }: TorNetworkOptions, nickname: string): string {
  const data = join(dir, nickname)
  mkdirSync(data, { recursive: true, mode: 0o700 })
  const nobody = `x 127.0.0.1:1 ${'f'.repeat(40)}`
  const args = ['--ignore-missing-torrc', '-f', 'none', '--list-fingerprint', '--orport', '1', '--dirserver', nobody]
  const listed = spawnSync(tor, [...args, '--datadirectory', data, '--nickname', nickname, '--quiet'])
  const fingerprint = /^\S+ ((?:\w{4} ?){10})/m.exec(listed.stdout.toString())?.[1]
  if (fingerprint === undefined) throw new Error(`tor --list-fingerprint: ${listed.stdout.toString()}`)
  return fingerprint.replaceAll(' ', '')
}

function commonLines(name: string, dir: string): string[] {
  return [
    'TestingTorNetwork 1',
    'Address 127.0.0.1',
    'AssumeReachable 1',
    'ShutdownWaitLength 0',
    'SafeLogging 0',
    `Nickname ${name}`,
    `DataDirectory ${dir}`,
    'Log notice stdout',
    'ControlPort auto',
    `ControlPortWriteToFile ${join(dir, 'control')}`,
    'CookieAuthentication 0',
    ...(name.startsWith('client') ? [] : ['SocksPort 0']),
  ]
}

const authorityLines = [
  'AuthoritativeDirectory 1',
  'V3AuthoritativeDirectory 1',
  'V3AuthVotingInterval 10',
  'V3AuthVoteDelay 2',
  'V3AuthDistDelay 2',
  'TestingV3AuthInitialVotingInterval 5',
  'TestingV3AuthInitialVoteDelay 2',
  'TestingV3AuthInitialDistDelay 2',
  'TestingDirAuthVoteExit *',
  'TestingDirAuthVoteHSDir *',
  'TestingDirAuthVoteGuard *',
  'TestingMinExitFlagThreshold 0',
  'ContactInfo test@example.invalid',
  'ExitPolicy reject *:*',
]

const exitLines = ['ORPort auto', 'ExitRelay 1', 'ExitPolicy accept 127.0.0.0/8:*', 'ExitPolicyRejectPrivate 0']

function bridgeLines({ transport, serverExec, serverOptions }: PairOptions, port: number): string[] {
  return [
    'ORPort auto',
    'BridgeRelay 1',
    'PublishServerDescriptor 0',
    'ExtORPort auto',
    'ExitPolicy reject *:*',
    `ServerTransportPlugin ${transport} exec ${serverExec.join(' ')}`,
    `ServerTransportListenAddr ${transport} 127.0.0.1:${port}`,
    ...(serverOptions === undefined ? [] : [`ServerTransportOptions ${transport} ${serverOptions}`]),
  ]
}

function clientLines({ transport, clientTransport = transport, clientExec, clientLines }: PairOptions): string[] {
  return [
    'SocksPort auto',
    'UseBridges 1',
    'ClientRejectInternalAddresses 0',
    `ClientTransportPlugin ${clientTransport} exec ${clientExec.join(' ')}`,
    ...(clientLines ?? []),
  ]
}
