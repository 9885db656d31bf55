/**
 * One bridge tried out: where it fails, how long it takes, and what that most likely means.
 *
 *     lint ── TCP connect of our own, where a PT tells too little ── dial ── closed again, with not a byte of payload
 */
import { performance } from 'node:perf_hooks'
import type { DialStage } from '../error.ts'
import { isPtError, PtError, stageOf, withReported } from '../error.ts'
import { withDeadline } from '../io/wait/deadline.ts'
import { aString, checkArgument, checkOptions } from '../options.ts'
import { makeConnect } from '../upstream/index.ts'
import { parseBridgeLine } from '../lines/bridge-line.ts'
import type { BridgeLine } from '../lines/bridge-line.ts'
import { lintBridgeLine } from '../lines/lint.ts'
import type { Dialer } from './dialer.ts'
import { addressUse } from '../lines/known-transports.ts'
import { bridgeTestChecks } from './option-checks.ts'

export interface BridgeTest {
  readonly ok: boolean
  /** Undefined where it works, or where nothing tells. */
  readonly stage: DialStage | undefined
  /** Milliseconds until it was ready, or had failed. */
  readonly time: number
  readonly verdict: string
  /** The error's own words, and behind them those of the PT. */
  readonly message: string | undefined
}

/** The dialer's own time-out knows more of where time ran out than the one around all, in ms. */
const GRACE = 1_000

export interface BridgeTestOptions {
  /** With `timeout` as its connectTimeout. */
  readonly dialer: Dialer
  /** Milliseconds. */
  readonly timeout: number
  /**
   * Connects to the address itself first. Where the dialer's PT gives no reasons this tells a bridge that is down from one
   * that does not answer. Not to be done where an upstream proxy is to be used.
   */
  readonly connectFirst: boolean
  readonly signal?: AbortSignal | undefined
}

const verdicts: Readonly<Record<DialStage, string>> = {
  argument: 'the bridge line is wrong',
  dns: 'the name of the bridge cannot be resolved',
  connect: 'nothing accepts connections there: the bridge is down, its address is wrong, or the way to it is blocked',
  local:
    'this machine could not try: it has no network or no IPv6, no free file descriptor, or a rule of its own forbids it',
  proxy: 'the upstream proxy failed, or refused the connection',
  timeout: 'accepts the connection and then says nothing: a wrong or old cert, a wrong clock, or interference',
  closed: 'accepts the connection and hangs up: another service, a wrong or old cert, or interference',
  mark: 'what answers does not speak this transport with the keys of the line',
  mac: 'the answer was altered on its way, or is not of this bridge',
  hour: 'the clock here or at the bridge is wrong',
  auth: 'what answers does not hold the key of the line',
}

/** Never rejects but with the signal's reason, or with PT_OPTION. */
export async function testBridge(text: string, options: BridgeTestOptions): Promise<BridgeTest> {
  checkArgument('testBridge', 'text', text, aString)
  checkOptions('testBridge', options, bridgeTestChecks)
  const start = performance.now()
  const result = (stage: DialStage | undefined, error: unknown): BridgeTest => ({
    ok: false,
    stage,
    time: Math.round(performance.now() - start),
    verdict: stage === undefined ? 'it failed, and the transport does not say where' : verdicts[stage],
    message: error instanceof Error ? withReported(error) : undefined,
  })
  const wrong = lintBridgeLine(text).find(({ severity }) => severity === 'error')
  if (wrong !== undefined) return result('argument', new Error(`${wrong.field}: ${wrong.message}`))
  try {
    await withDeadline(2 * options.timeout + GRACE, 'the test', options.signal, (signal) =>
      tryOut(parseBridgeLine(text), options, signal),
    )
    return {
      ok: true,
      stage: undefined,
      time: Math.round(performance.now() - start),
      verdict: 'works',
      message: undefined,
    }
  } catch (error) {
    options.signal?.throwIfAborted()
    return result(stageOf(error), error)
  }
}

async function tryOut(line: BridgeLine, options: BridgeTestOptions, signal: AbortSignal): Promise<void> {
  const { dialer, connectFirst, timeout } = options
  if (connectFirst && addressUse(line.transport) === 'dialled') {
    const conn = await connectTo(line, timeout, signal)
    conn.destroy()
  }
  const conn = await dialer.dial(line, signal).catch((error: unknown) => {
    throw connectFirst && stageOf(error) === 'connect' ? hungUp(error) : error
  })
  conn.on('error', () => undefined).destroy()
}

/** A PT that gives no reason is taken to have found nobody; but somebody is there. */
function hungUp(cause: unknown): PtError {
  const message = cause instanceof Error ? withReported(cause) : 'the connection failed'
  return new PtError('PT_CLOSED', message, { cause, stage: 'closed' })
}

async function connectTo(line: BridgeLine, timeout: number, signal: AbortSignal): Promise<{ destroy(): unknown }> {
  try {
    return await makeConnect({ connectTimeout: timeout })(line.address, signal)
  } catch (cause) {
    if (isPtError(cause) && (cause.stage === 'dns' || cause.stage === 'local')) throw cause
    throw new PtError('PT_CONNECT', `no TCP connection: ${(cause as Error).message}`, { cause, stage: 'connect' })
  }
}
