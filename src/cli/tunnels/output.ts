/**
 * What tunnels show: lines as things happen, one live line per tunnel on a terminal, JSON for programs.
 *
 *     web: ready
 *     web: listen 127.0.0.1:9000
 *     web: failure (timeout): obfs4: SOCKS request refused …
 *
 *     {"time":"2026-01-01T00:00:00.000Z","event":"failure","tunnel":"web","stage":"timeout","message":"…"}
 *
 * Texts of PTs and of the system are scrubbed of addresses, unless those were asked for, and of all that a terminal obeys; what
 * others can cause as often as they like is bounded by the second; and what is not read is dropped and counted.
 */
import type { BridgeLine, Tunnel, TunnelStats } from '../../app/index.ts'
import { PLACEHOLDER, TunnelClient } from '../../app/index.ts'
import { isPtError } from '../../error.ts'
import { redact, scrubAddresses, scrubForeign, shorten } from '../../ipc/index.ts'
import type { PtEvent } from '../../parent/index.ts'
import { openLineOutput } from '../../pt/line-output.ts'
import { rateLimit } from '../../pt/rate-limit.ts'
import { printable, printableJson } from '../printable.ts'
import type { Confidential } from './confidential.ts'
import { liveLines } from './live-lines.ts'
import type { Started } from './start.ts'

/** Lines of one kind that a tunnel writes in a second, as in the PT. */
const LINES_PER_SECOND = 50
/** What waits in stdout's queue when the process ends gets this long, in ms. */
const FLUSH_TIMEOUT = 300

const noAddress = `put the address of this machine in the place of ${PLACEHOLDER}, or name it with --public-address`

export interface TunnelOutput {
  /** Shows `started` until its tunnel is closed. */
  show(started: Started): void
  /** What happened to all, or to none in particular. */
  say(event: string, message: string): void
  /** The same, of a text of ours that holds no address and may look as if (`tunnels.toml:5`). */
  sayAsItIs(event: string, message: string): void
  /** The address of the counts, which is one of this machine alone. */
  metrics(url: string): void
  /** A bridge line of a tunnel cannot be served; `message` says which line and why. */
  passedOver(tunnel: string, message: string): void
  ptEvent(name: string, event: PtEvent): void
  /** Takes what a tunnel knows out of all texts from here on: one PT may serve several tunnels, and speak of each. */
  conceal(known: Confidential): void
  close(): Promise<void>
}

type Fields = Readonly<Record<string, string | number>>

export interface OutputOptions {
  readonly json: boolean
  readonly showAddresses: boolean
  /** Prints bridge lines elsewhere than on a terminal too. */
  readonly printLine: boolean
}

/** The standard output of this process. */
export function createTunnelOutput(options: OutputOptions): TunnelOutput {
  return new Output(options)
}

interface Lines {
  above(line: string): void
  close(): Promise<void>
}

class Output implements TunnelOutput {
  readonly #options: OutputOptions
  readonly #live: ReturnType<typeof liveLines> | undefined
  readonly #lines: Lines
  /** By tunnel and kind of line. */
  readonly #limits = new Map<string, () => boolean>()
  readonly #known = new Set<string>()

  constructor(options: OutputOptions) {
    this.#options = options
    const moves = process.stdout.isTTY && process.env['TERM'] !== 'dumb' && !options.json
    this.#live = moves ? liveLines(process.stdout) : undefined
    const live = this.#live
    this.#lines =
      live === undefined ? plainLines(options.json) : { above: (line) => live.above(line), close: async () => {} }
  }

  show({ spec, tunnel, facts, bridgeLine, trouble }: Started): void {
    const { name } = spec
    const { bridgeLineFile, ...rest } = facts
    const file = bridgeLineFile === undefined ? {} : { bridgeLineFile }
    // The line itself comes first: scripts look for the first mention of it.
    this.#write('ready', name, { ...rest, ...this.#lineToShow(bridgeLine), ...file })
    if (trouble !== undefined) this.#write('note', name, { message: `the bridge line is not kept: ${trouble.message}` })
    if (bridgeLine?.includes(PLACEHOLDER) === true) this.#write('note', name, { message: noAddress })
    tunnel
      .on('ready', () => this.#live?.refresh())
      .on('failure', (error, line) =>
        this.#writeFew('failure', name, () => ({ ...this.#failure(error), ...whichOf(tunnel, line) })),
      )
      .on('recovery', (line) => this.#write('recovery', name, whichOf(tunnel, line)))
      .on('restart', (error) => this.#writeFew('restart', name, () => this.#messageOf(error)))
      .on('closed', (error) => {
        this.#live?.remove(name)
        const why = error === undefined ? {} : this.#failure(error)
        this.#write('closed', name, { ...counts(tunnel.stats), ...why })
      })
    if (this.#options.json)
      tunnel.on('connection', () => this.#writeFew('connection', name, () => counts(tunnel.stats)))
    this.#live?.add(name, tunnel)
  }

  metrics(url: string): void {
    this.#write('metrics', undefined, { url })
  }

  say(event: string, message: string): void {
    this.#write(event, undefined, { message: this.#clean(message) })
  }

  sayAsItIs(event: string, message: string): void {
    this.#write(event, undefined, { message })
  }

  passedOver(tunnel: string, message: string): void {
    this.#writeFew('passed-over', tunnel, () => ({ message: this.#clean(message) }))
  }

  ptEvent(name: string, event: PtEvent): void {
    if (event.type === 'launching') this.#writeFew('pt-start', name, () => ({ pid: event.pid }))
    if (event.type === 'ready') this.#writeFew('pt-ready', name, () => ({ transports: event.transports.join(' ') }))
    if (event.type === 'unstoppable') this.#writeFew('pt-left', name, () => this.#messageOf(event.error))
    if (event.type === 'log' && (event.severity === 'error' || event.severity === 'warning')) {
      const { severity, message } = event
      this.#writeFew('log', name, () => ({ severity, message: this.#cleanForeign(message) }))
    }
  }

  conceal({ addresses, secrets }: Confidential): void {
    for (const one of this.#options.showAddresses ? secrets : [...addresses, ...secrets]) this.#known.add(one)
  }

  async close(): Promise<void> {
    this.#live?.close()
    await this.#lines.close()
  }

  /** A journal is read by others than a bridge's operator, and kept. */
  #lineToShow(bridgeLine: string | undefined): Fields {
    return bridgeLine !== undefined && (process.stdout.isTTY || this.#options.printLine) ? { bridgeLine } : {}
  }

  /** What others can cause as often as they like. */
  #writeFew(event: string, tunnel: string, fields: () => Fields): void {
    const key = JSON.stringify([event, tunnel])
    let passes = this.#limits.get(key)
    if (passes === undefined) {
      passes = rateLimit(LINES_PER_SECOND, (count) =>
        this.#write('suppressed', tunnel, { message: `${count} more of ${event} within a second` }),
      )
      this.#limits.set(key, passes)
    }
    if (passes()) this.#write(event, tunnel, fields())
  }

  #write(event: string, tunnel: string | undefined, fields: Fields): void {
    for (const line of this.#options.json ? [jsonLine(event, tunnel, fields)] : textLines(event, tunnel, fields)) {
      this.#lines.above(line)
    }
  }

  #failure(error: Error & { stage?: string | undefined }): Record<string, string> {
    return { stage: error.stage ?? 'unknown', ...this.#messageOf(error) }
  }

  #messageOf(error: Error): Record<string, string> {
    const reported = isPtError(error) ? error.reported : undefined
    return {
      message: this.#clean(error.message),
      ...(reported === undefined ? {} : { reported: this.#cleanForeign(reported) }),
    }
  }

  #clean(text: string): string {
    const rest = redact(text, [...this.#known])
    return this.#options.showAddresses ? rest : scrubAddresses(rest)
  }

  /** The same for the words of a PT. */
  #cleanForeign(text: string): string {
    const rest = shorten(redact(text, [...this.#known]))
    return this.#options.showAddresses ? rest : scrubForeign(rest)
  }
}

/** Writing never waits and keeps no more than a bounded queue. */
function plainLines(json: boolean): Lines {
  const dropped = (count: number): string => {
    const fields = { message: `${count} lines were not read` }
    return `${(json ? [jsonLine('dropped', undefined, fields)] : textLines('dropped', undefined, fields)).join('')}\n`
  }
  const output = openLineOutput(1, dropped)
  output.release()
  return { above: (line) => output.write(`${line}\n`), close: () => output.close(FLUSH_TIMEOUT) }
}

/** Names one of several bridges by its place in the list, as its address stays private. */
function whichOf(tunnel: Tunnel, line: BridgeLine | undefined): Record<string, number> {
  if (line === undefined || !(tunnel instanceof TunnelClient) || tunnel.bridges.length === 1) return {}
  return { bridge: tunnel.bridges.indexOf(line) + 1 }
}

function counts({ total, bytesUp, bytesDown, restarts, open }: TunnelStats): Record<string, number> {
  return { open, connections: total, bytesUp, bytesDown, restarts }
}

function jsonLine(event: string, tunnel: string | undefined, fields: Fields): string {
  const time = new Date().toISOString()
  return printableJson(JSON.stringify({ time, event, ...(tunnel === undefined ? {} : { tunnel }), ...fields }))
}

/** The facts of a tunnel that is ready have a line each, to be copied whole. */
function textLines(event: string, tunnel: string | undefined, fields: Fields): string[] {
  const facts = event === 'ready' ? Object.entries(fields) : []
  const lines = [
    plainLine(event, tunnel, event === 'ready' ? {} : fields),
    ...facts.map(([key, value]) => plainLine(`${wordsOf(key)} ${value}`, tunnel, {})),
  ]
  return lines.map(printable)
}

function plainLine(event: string, tunnel: string | undefined, fields: Fields): string {
  const { stage, message, ...rest } = fields
  const details = Object.entries(rest).map(([key, value]) => `${wordsOf(key)} ${value}`)
  const stageText = stage === undefined ? '' : ` (${stage})`
  const text = [message === undefined ? '' : `: ${message}`, details.length === 0 ? '' : `; ${details.join(', ')}`]
  return `${tunnel === undefined ? '' : `${tunnel}: `}${event}${stageText}${text.join('')}`
}

/** `bytesUp` as `bytes up`. */
function wordsOf(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
}
