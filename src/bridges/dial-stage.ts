/**
 * Where a connection failed, for PTs that say it in a STATUS line and for those that only give a SOCKS reply.
 *
 *     STATUS TRANSPORT=obfs4 ADDRESS=203.0.113.7:443 CONNECT=Failed STAGE=timeout        ours; ADDRESS where asked for
 *     05 05                                                                              obfs4proxy: refused
 *     05 01                                                                              obfs4proxy: anything else
 */
import type { DialStage, PtErrorCode } from '../error.ts'
import { isPtError, PtError, stageOf } from '../error.ts'
import type { PtEvent } from '../parent/index.ts'
import type { BridgeLine } from '../lines/bridge-line.ts'
import { lintBridgeLine } from '../lines/lint.ts'
import { formatBridgeLine } from '../lines/bridge-line.ts'

const stages: Readonly<Record<DialStage, true>> = {
  argument: true,
  dns: true,
  connect: true,
  local: true,
  proxy: true,
  timeout: true,
  closed: true,
  mark: true,
  mac: true,
  hour: true,
  auth: true,
}

/** SOCKS 5 replies that say where it failed; 1, a general failure, does not. */
const byReply: Readonly<Record<number, DialStage>> = {
  2: 'argument',
  3: 'local',
  4: 'connect',
  5: 'connect',
  6: 'timeout',
}

/** No handshake fails for another reason than silence after so long, in ms: servers that cannot verify a client wait. */
const SILENCE = 25_000

/** How many STATUS lines are remembered; the PT chooses their names. */
const KEPT = 200

/** The last STATUS of failed connections, by bridge or, where the PT does not say which, by transport. */
export class StageLog {
  readonly #last = new Map<string, { readonly at: number; readonly stage: DialStage }>()

  note(event: PtEvent): void {
    if (event.type !== 'status' || event.transport === undefined) return
    const stage = event.args.get('STAGE') ?? ''
    if (event.args.get('CONNECT') !== 'Failed' || !Object.hasOwn(stages, stage)) return
    if (this.#last.size >= KEPT) this.#last.clear()
    const key = keyOf(event.transport, event.args.get('ADDRESS'))
    this.#last.set(key, { at: Date.now(), stage: stage as DialStage })
  }

  /** What was said of this bridge since `start` (of Date.now). `alone`: no other connection was being made meanwhile. */
  since(start: number, { transport, address }: BridgeLine, alone: boolean): DialStage | undefined {
    const found = this.#last.get(keyOf(transport, address)) ?? (alone ? this.#last.get(keyOf(transport)) : undefined)
    return found !== undefined && found.at >= start ? found.stage : undefined
  }
}

function keyOf(transport: string, address = ''): string {
  return `${transport} ${address}`
}

/** The stage of a failed connection through a process that has said nothing about it. */
export function inferStage(error: unknown, line: BridgeLine, waited: number, proxy: boolean): DialStage | undefined {
  if (!isPtError(error, 'PT_SOCKS_REFUSED')) return stageOf(error)
  const told = byReply[error.reply ?? 0]
  if (told !== undefined) return told
  if (lintBridgeLine(formatBridgeLine(line)).some(({ severity, field }) => severity === 'error' && isArgument(field))) {
    return 'argument'
  }
  if (waited >= SILENCE) return 'timeout'
  // Through a proxy a general failure may be the proxy's, and nothing tells the two apart. Otherwise a bridge that is down
  // is likelier than one that accepts and hangs up; obfs4proxy replies alike.
  return proxy ? undefined : 'connect'
}

function isArgument(field: string): boolean {
  return field !== 'address' && field !== 'transport' && field !== 'fingerprint'
}

/** What a failed connection is, in this process and beside it. */
const failures: Readonly<Record<DialStage, readonly [code: PtErrorCode, sentence: string]>> = {
  argument: ['PT_ARGS', 'an argument of the bridge line is missing or malformed'],
  dns: ['PT_CONNECT', 'the name of the bridge cannot be resolved'],
  connect: [
    'PT_CONNECT',
    'nobody accepts connections: the bridge is down, its address is wrong, or the way is blocked',
  ],
  local: [
    'PT_CONNECT',
    'this machine has no way there: no network or no IPv6, no free descriptor, or a rule of its own',
  ],
  proxy: ['PT_PROXY', 'the upstream proxy failed, or refused the connection'],
  timeout: ['PT_TIMEOUT', 'there was no answer in time'],
  closed: ['PT_HANDSHAKE', 'the bridge hung up without a valid answer'],
  mark: ['PT_HANDSHAKE', 'what answers does not speak this transport with the keys of the bridge line'],
  mac: ['PT_HANDSHAKE', 'the answer was altered on its way, or is not of this bridge'],
  hour: ['PT_HANDSHAKE', 'the clock of this machine, or that of the bridge, is wrong'],
  auth: ['PT_HANDSHAKE', 'what answers does not hold the key of the bridge line'],
}

/** The error of a dial whose stage is known for sure. `said` is the transport's own account of it. */
export function failedAt(stage: DialStage, transport: string, cause: unknown, said: string | undefined): PtError {
  const [code, sentence] = failures[stage]
  const reply = isPtError(cause) && cause.reply !== undefined ? { reply: cause.reply } : {}
  const reported = said === undefined ? {} : { reported: said }
  return new PtError(code, `${transport}: ${sentence}`, { cause, stage, ...reply, ...reported })
}

/** `error` as a PtError with a stage that is likely, if any. The message repeats nothing of the bridge. */
export function staged(error: unknown, transport: string, stage: DialStage | undefined): PtError {
  const known = isPtError(error)
  if (known && error.stage === stage) return error
  const code: PtErrorCode = known ? error.code : 'PT_CONNECT'
  const message = known ? error.message : `${transport}: the connection failed`
  const reply = known && error.reply !== undefined ? { reply: error.reply } : {}
  const reported = known && error.reported !== undefined ? { reported: error.reported } : {}
  return new PtError(code, message, { cause: error, ...(stage === undefined ? {} : { stage }), ...reply, ...reported })
}
