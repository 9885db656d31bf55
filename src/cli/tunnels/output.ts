/**
 * What tunnels show: lines as things happen, one live line per tunnel on a terminal, JSON for programs.
 *
 *     web: ready
 *     web: listen 127.0.0.1:9000
 *     web: failure (timeout): obfs4: SOCKS request refused …
 *
 *     {"time":"2026-01-01T00:00:00.000Z","event":"failure","tunnel":"web","stage":"timeout","message":"…"}
 *
 * Texts of PTs and of the system are scrubbed of addresses, unless those were asked for.
 */
import { styleText } from 'node:util'
import { isPtError } from '../../error.ts'
import type { BridgeLine, Tunnel, TunnelStats } from '../../app/index.ts'
import { PLACEHOLDER, TunnelClient } from '../../app/index.ts'
import { redact, scrubAddresses, scrubForeign, shorten } from '../../ipc/index.ts'
import type { PtEvent } from '../../parent/index.ts'
import type { Confidential } from './confidential.ts'
import type { Started } from './start.ts'

/** How often the live lines are written anew, in ms. */
const REFRESH = 500

const noAddress = `put the address of this machine in the place of ${PLACEHOLDER}, or name it with --public-address`

export interface TunnelOutput {
  /** Shows `started` until its tunnel is closed. */
  show(started: Started): void
  /** What happened to all, or to none in particular. */
  say(event: string, message: string): void
  /** The same, of a text of ours that holds no address and may look as if (`tunnels.toml:5`). */
  sayAsItIs(event: string, message: string): void
  /** Where the counts are, which is an address of this machine alone. */
  metrics(url: string): void
  ptEvent(name: string, event: PtEvent): void
  /** Takes what a tunnel knows out of all texts from here on: one PT may serve several tunnels, and speak of each. */
  conceal(known: Confidential): void
  close(): void
}

type Fields = Readonly<Record<string, string | number>>

export interface OutputOptions {
  readonly json: boolean
  readonly showAddresses: boolean
}

export function createTunnelOutput(out: NodeJS.WriteStream, { json, showAddresses }: OutputOptions): TunnelOutput {
  const live = out.isTTY && !json ? liveLines(out) : undefined
  const known = new Set<string>()
  const clean = (text: string): string => {
    const rest = redact(text, [...known])
    return showAddresses ? rest : scrubAddresses(rest)
  }
  /** The same for the words of a PT. */
  const cleanForeign = (text: string): string => {
    const rest = shorten(redact(text, [...known]))
    return showAddresses ? rest : scrubForeign(rest)
  }
  const write = (event: string, tunnel: string | undefined, fields: Fields): void => {
    const line = json
      ? JSON.stringify({
          time: new Date().toISOString(),
          event,
          ...(tunnel === undefined ? {} : { tunnel }),
          ...fields,
        })
      : event === 'ready'
        ? [plainLine(event, tunnel, {}), ...factLines(tunnel, fields)]
        : plainLine(event, tunnel, fields)
    for (const text of [line].flat()) {
      if (live === undefined) out.write(`${text}\n`)
      else live.above(text)
    }
  }
  const messageOf = (error: Error): Record<string, string> => ({
    message: clean(error.message),
    ...(isPtError(error) && error.reported !== undefined ? { reported: cleanForeign(error.reported) } : {}),
  })
  const failure = (error: Error & { stage?: string | undefined }): Record<string, string> => ({
    stage: error.stage ?? 'unknown',
    ...messageOf(error),
  })
  return {
    show({ spec: { name }, tunnel, facts }) {
      write('ready', name, facts)
      if (facts['bridgeLine']?.includes(PLACEHOLDER) === true) write('note', name, { message: noAddress })
      tunnel
        .on('ready', () => live?.refresh())
        .on('failure', (error, line) => write('failure', name, { ...failure(error), ...whichOf(tunnel, line) }))
        .on('recovery', (line) => write('recovery', name, whichOf(tunnel, line)))
        .on('restart', (error) => write('restart', name, messageOf(error)))
        .on('closed', (error) => {
          live?.remove(name)
          write('closed', name, { ...counts(tunnel.stats), ...(error === undefined ? {} : failure(error)) })
        })
      if (json) tunnel.on('connection', () => write('connection', name, counts(tunnel.stats)))
      live?.add(name, tunnel)
    },
    metrics: (url) => write('metrics', undefined, { url }),
    sayAsItIs: (event, message) => write(event, undefined, { message }),
    say: (event, message) => write(event, undefined, { message: clean(message) }),
    ptEvent(name, event) {
      if (event.type === 'launching') write('pt-start', name, { pid: event.pid })
      if (event.type === 'ready') write('pt-ready', name, { transports: event.transports.join(' ') })
      if (event.type === 'log' && (event.severity === 'error' || event.severity === 'warning')) {
        write('log', name, { severity: event.severity, message: cleanForeign(event.message) })
      }
    },
    conceal({ addresses, secrets }) {
      for (const one of showAddresses ? secrets : [...addresses, ...secrets]) known.add(one)
    },
    close: () => live?.close(),
  }
}

/** Of several bridges the one that is spoken of: its place in the list, as its address is nobody's business. */
function whichOf(tunnel: Tunnel, line: BridgeLine | undefined): Record<string, number> {
  if (line === undefined || !(tunnel instanceof TunnelClient) || tunnel.bridges.length === 1) return {}
  return { bridge: tunnel.bridges.indexOf(line) + 1 }
}

function counts({ total, bytesUp, bytesDown, restarts, open }: TunnelStats): Record<string, number> {
  return { open, connections: total, bytesUp, bytesDown, restarts }
}

function plainLine(event: string, tunnel: string | undefined, fields: Fields): string {
  const { stage, message, ...rest } = fields
  const details = Object.entries(rest).map(([key, value]) => `${wordsOf(key)} ${value}`)
  const stageText = stage === undefined ? '' : ` (${stage})`
  const text = [message === undefined ? '' : `: ${message}`, details.length === 0 ? '' : `; ${details.join(', ')}`]
  return `${tunnel === undefined ? '' : `${tunnel}: `}${event}${stageText}${text.join('')}`
}

/** A line each, to be copied whole. */
function factLines(tunnel: string | undefined, fields: Fields): string[] {
  return Object.entries(fields).map(([key, value]) => plainLine(`${wordsOf(key)} ${value}`, tunnel, {}))
}

/** `bytesUp` as `bytes up`. */
function wordsOf(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
}

interface LiveLines {
  add(name: string, tunnel: Tunnel): void
  remove(name: string): void
  /** Writes a line that stays, above the live ones. */
  above(line: string): void
  refresh(): void
  close(): void
}

function liveLines(out: NodeJS.WriteStream): LiveLines {
  const tunnels = new Map<string, Tunnel>()
  let drawn = 0
  const erase = (): void => {
    if (drawn > 0) out.write(`\u001b[${drawn}A\u001b[0J`)
    drawn = 0
  }
  const draw = (): void => {
    const lines = [...tunnels].map(([name, tunnel]) => statusLine(name, tunnel.stats).slice(0, (out.columns || 80) - 1))
    for (const line of lines) out.write(`${process.env['NO_COLOR'] === undefined ? styleText('dim', line) : line}\n`)
    drawn = lines.length
  }
  const refresh = (): void => {
    erase()
    draw()
  }
  const timer = setInterval(refresh, REFRESH).unref()
  return {
    add: (name, tunnel) => {
      tunnels.set(name, tunnel)
      refresh()
    },
    remove: (name) => {
      tunnels.delete(name)
      refresh()
    },
    above: (line) => {
      erase()
      out.write(`${line}\n`)
      draw()
    },
    refresh,
    close: () => {
      clearInterval(timer)
      erase()
    },
  }
}

/** `web  ready  3 open, 1 waiting, 12 in all  ↑ 1.2 MB ↓ 34.5 MB  last failure 12:00:00 timeout` */
export function statusLine(name: string, stats: TunnelStats): string {
  const { state, open, waiting, total, bytesUp, bytesDown, restarts, lastFailure } = stats
  const parts = [
    `${name}  ${state}  ${open} open, ${waiting} waiting, ${total} in all`,
    `↑ ${amount(bytesUp)} ↓ ${amount(bytesDown)}`,
    ...(restarts === 0 ? [] : [`${restarts} restarts`]),
    ...(lastFailure === undefined
      ? []
      : [`last failure ${lastFailure.at.toTimeString().slice(0, 8)} ${lastFailure.stage}`]),
  ]
  return parts.join('  ')
}

function amount(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`
}
