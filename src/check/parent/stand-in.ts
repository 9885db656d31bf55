/**
 * The program that a parent under test launches as its PT: it tells the checker what happens to it, and does what the checker
 * says. Started as `node stand-in.js <port> …`; every message is a line of JSON on a connection to that port of loopback.
 *
 *     → {"type":"hello","pid":…,"env":{…},"argv":[…],"at":12.3,"waited":0.4}
 *     → {"type":"stdin","at":…,"waited":…}   {"type":"signal","name":"SIGTERM","at":…,"waited":…}
 *     ← {"say":"VERSION 1\n"}   {"exit":3}   {"deaf":true}   {"mark":true}
 */
import { readFileSync, writeSync } from 'node:fs'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'

/** What the checker says. */
export interface Order {
  /** Written to stdout as it is. */
  readonly say?: string
  readonly exit?: number
  /** From here on neither a closed stdin nor a signal ends it. */
  readonly deaf?: boolean
  /** Asks for a report at once. */
  readonly mark?: true
}

/** What the checker hears. */
type Message =
  | {
      readonly type: 'hello'
      readonly pid: number
      readonly env: Record<string, string>
      readonly argv: readonly string[]
    }
  | { readonly type: 'stdin' | 'mark' }
  | { readonly type: 'signal'; readonly name: string }

/** A message with its time, and with how long this process had waited for a CPU by then; both are in milliseconds. */
export type Report = Message & { readonly at: number; readonly waited: number }

const control = connect({ host: '127.0.0.1', port: Number(process.argv[2]), noDelay: true })
let deaf = false

function report(message: Message): void {
  control.write(`${JSON.stringify({ ...message, at: performance.now(), waited: waited() })}\n`)
}

/** Returns how long this process has waited for a CPU. Linux counts it; on other systems it is 0. */
function waited(): number {
  try {
    return Number(readFileSync('/proc/self/schedstat', 'latin1').split(' ')[1]) / 1e6
  } catch {
    return 0
  }
}

function endUnlessDeaf(): void {
  if (!deaf) control.end(() => process.exit(0))
}

function obey({ say, exit, deaf: hears, mark }: Order): void {
  if (mark) report({ type: 'mark' })
  if (say !== undefined) writeSync(1, say)
  if (hears !== undefined) deaf = hears
  if (exit !== undefined) process.exit(exit)
}

// Without the checker nothing would end this process.
control.on('error', () => process.exit(1)).on('close', () => process.exit(0))
createInterface(control).on('line', (line) => obey(JSON.parse(line) as Order))
process.stdin.on('error', () => undefined)
process.stdin.resume().once('close', () => {
  report({ type: 'stdin' })
  endUnlessDeaf()
})
for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  process.on(name, () => {
    report({ type: 'signal', name })
    endUnlessDeaf()
  })
}
report({ type: 'hello', pid: process.pid, env: process.env as Record<string, string>, argv: process.argv.slice(3) })
