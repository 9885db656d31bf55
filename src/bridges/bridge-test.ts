/**
 * A test of one bridge: the stage at which it fails, how long it takes, and what that most likely means.
 *
 *     lint ── TCP connect of our own, if a PT tells too little ── dial ── closed again, without a byte of payload
 */
import { performance } from 'node:perf_hooks'
import type { PtError } from '../error.ts'
import { isPtError, messageOf, withReported } from '../error.ts'
import type { DialStage } from '../failure.ts'
import { connectionFailure, stageOf, stages, verdictOf } from '../failure.ts'
import { withDeadline } from '../io/wait/deadline.ts'
import { aString, checkArgument, checkOptions } from '../options.ts'
import { makeConnect } from '../upstream/index.ts'
import { parseBridgeLine } from '../lines/bridge-line.ts'
import type { BridgeLine } from '../lines/bridge-line.ts'
import { lintBridgeLine } from '../lines/lint.ts'
import type { Dialer } from './dialer.ts'
import { addressUse } from '../lines/known-transports.ts'
import { bridgeTestChecks } from './option-checks.ts'

/** The result of testBridge: whether the bridge works, how long a connection took, or how far it came and why. */
export interface BridgeTest {
  readonly ok: boolean
  /** Undefined if the bridge works, or if nothing says where it failed. */
  readonly stage: DialStage | undefined
  /** Milliseconds until it was ready, or had failed. */
  readonly time: number
  readonly verdict: string
  /** The error's own words, followed by those of the PT. */
  readonly message: string | undefined
}

/** The dialer's own time limit knows the stage at which time ran out, so it comes first by so many milliseconds. */
const GRACE = 1_000

/** The options of testBridge. */
export interface BridgeTestOptions {
  /** With `timeout` as its connectTimeout. */
  readonly dialer: Dialer
  /** Milliseconds. */
  readonly timeout: number
  /**
   * Connects to the address itself first. If the dialer's PT gives no reasons, this tells a bridge that is down from one that does not
   * answer. It must be false if an upstream proxy is to be used.
   */
  readonly connectFirst: boolean
  readonly signal?: AbortSignal | undefined
}

/** Tries the bridge of the line `text`. It rejects with the signal's reason or with PT_OPTION, and not if the bridge fails. */
export async function testBridge(text: string, options: BridgeTestOptions): Promise<BridgeTest> {
  checkArgument('testBridge', 'text', text, aString)
  checkOptions('testBridge', options, bridgeTestChecks)
  const start = performance.now()
  const result = (stage: DialStage | undefined, error: unknown): BridgeTest => ({
    ok: false,
    stage,
    time: Math.round(performance.now() - start),
    verdict: verdictAt(stage),
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

function verdictAt(stage: DialStage | undefined): string {
  if (stage === undefined) return 'it failed, and the transport does not say where'
  // The message says which argument it is.
  return stage === 'argument' ? stages.argument.sentence : verdictOf(stage)
}

async function tryOut(line: BridgeLine, options: BridgeTestOptions, signal: AbortSignal): Promise<void> {
  const { dialer, connectFirst, timeout } = options
  if (connectFirst && addressUse(line.transport) === 'dialled') {
    const conn = await connectTo(line, timeout, signal)
    conn.destroy()
  }
  const conn = await dialer.dial(line, signal).catch((error: unknown) => {
    throw connectFirst && isGuess(error) ? hungUp(error, line) : error
  })
  conn.on('error', () => undefined).destroy()
}

/** A PT that gives no reason is taken to have found nothing that listens. */
function isGuess(error: unknown): boolean {
  return isPtError(error, 'PT_SOCKS_REFUSED') && error.stage === 'connect'
}

/** Something does listen, as our own connection has shown. */
function hungUp(cause: unknown, { transport }: BridgeLine): PtError {
  return connectionFailure('closed', transport, { cause, reported: isPtError(cause) ? cause.reported : undefined })
}

async function connectTo(line: BridgeLine, timeout: number, signal: AbortSignal): Promise<{ destroy(): unknown }> {
  try {
    return await makeConnect({ connectTimeout: timeout })(line.address, signal)
  } catch (cause) {
    if (isPtError(cause) && (cause.stage === 'dns' || cause.stage === 'local')) throw cause
    throw connectionFailure('connect', line.transport, { cause, reported: messageOf(cause) })
  }
}
