/**
 * What the PT says to its parent, as messages. Sections "Common Messages", "Log Message", "Status Message".
 *
 *     say     VERSION, CMETHOD, … : written as they are
 *     log     LOG SEVERITY=notice MESSAGE="…"             at or above the log level ┐ scrubbed of addresses and secrets,
 *     status  STATUS TRANSPORT=obfs4 CONNECT=Success                                ┘ bounded in length and per second
 */
import type { ArgsInit, Message, Severity } from '../ipc/index.ts'
import { Args, formatMessage, severities, transportStatus } from '../ipc/index.ts'
import type { Report } from '../transport.ts'
import type { LineOutput } from './line-output.ts'
import { rateLimit } from './rate-limit.ts'
import { redact, scrubAddresses, shorten } from './scrub.ts'

/** LOG and STATUS lines per second; what is above is counted. */
const LINES_PER_SECOND = 50

export interface Reporter {
  /** A message of the protocol, unchanged. */
  say(message: Message): void
  log(severity: Severity, text: string): void
  /** A LOG line of severity error that no limit holds back: the last words of this process. */
  lastWords(text: string): void
  /** `text` as it may be said: without `secrets`, and without addresses unless they were asked for. */
  clean(text: string, secrets?: readonly string[]): string
  /**
   * The STATUS of a connection that failed. No limit holds it back: the parent itself decides how many connections there are, and one
   * of ours waits for the line.
   */
  failure(name: string, pairs: ArgsInit, secrets: () => readonly string[]): void
  /** What one transport, or one connection of it, may use: its STATUS names it, and `secrets` appear in none of its texts. */
  forTransport(name: string, secrets?: () => readonly string[]): Report
}

export interface ReportOptions {
  /** Shows addresses. Secrets are never shown. */
  readonly unsafeLogging?: boolean
  /** LOG lines below it are left out. Default: notice. */
  readonly logLevel?: Severity
}

export function createReporter(output: LineOutput, options: ReportOptions = {}): Reporter {
  const { unsafeLogging = false, logLevel = 'notice' } = options
  const say = (message: Message): void => output.write(formatMessage(message))
  const mayPass = rateLimit(LINES_PER_SECOND, (count) =>
    say({ type: 'log', severity: 'warning', message: `${count} more LOG and STATUS lines suppressed within a second` }),
  )
  const clean = (text: string, secrets: readonly string[] = []): string => {
    // Secrets go before the text is cut: of one that is cut in two, the first half would stay.
    const short = shorten(redact(text, secrets))
    return unsafeLogging ? short : scrubAddresses(short)
  }
  const log = (severity: Severity, text: string, secrets: () => readonly string[] = none): void => {
    if (severities.indexOf(severity) > severities.indexOf(logLevel) || !mayPass()) return
    sayOrAdmit(output, () => say({ type: 'log', severity, message: clean(text, secrets()) }))
  }
  const sayStatus = (name: string, pairs: ArgsInit, secrets: () => readonly string[], passes: () => boolean): void => {
    // A transport in JavaScript may well give PERCENT as a number.
    const given: (readonly [string, unknown])[] = [...Args.from(pairs)]
    if (given.length === 0 || !passes()) return
    const hidden = secrets()
    const cleaned = given.map(([key, value]) => [key, clean(String(value), hidden)] as const)
    try {
      say(transportStatus(name, cleaned))
    } catch (error) {
      log('warning', `${name}: a STATUS cannot be said: ${(error as Error).message}`, secrets)
    }
  }
  return {
    say,
    log: (severity, text) => log(severity, text),
    lastWords: (text) => sayOrAdmit(output, () => say({ type: 'log', severity: 'error', message: clean(text) })),
    clean,
    failure: (name, pairs, secrets) => sayOrAdmit(output, () => sayStatus(name, pairs, secrets, always)),
    forTransport: (name, secrets = none) => ({
      log(severity, text) {
        log(severities.includes(severity) ? severity : 'notice', `${name}: ${text}`, secrets)
      },
      status: (pairs) => sayOrAdmit(output, () => sayStatus(name, pairs, secrets, mayPass)),
    }),
  }
}

/** Said in place of what could not be said. It is written as it is, and uses nothing of what has just failed. */
const UNSAID = 'LOG SEVERITY=error MESSAGE="a LOG or STATUS line is missing: it could not be written"\n'

/** Reports are about connections, and a report that fails must not take its connection with it. */
function sayOrAdmit(output: LineOutput, act: () => void): void {
  try {
    act()
  } catch {
    try {
      output.write(UNSAID)
    } catch {
      // Then the parent does not hear of it.
    }
  }
}

const always = (): boolean => true

/** Secrets are collected when something is said, as most connections say nothing. */
const none = (): readonly string[] => []

/** A reporter whose lines go nowhere. */
export function silentReporter(): Reporter {
  return createReporter({
    write: () => undefined,
    release: () => undefined,
    close: () => Promise.resolve(),
    unread: false,
  })
}
