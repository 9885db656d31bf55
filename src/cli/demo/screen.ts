/**
 * What the demo shows: the dialogue of parent and PTs, the bytes on the wire, and a progress bar. Colours and the moving bar are
 * for a terminal only.
 */
import { styleText } from 'node:util'
import type { PtEvent } from '../../parent/index.ts'

type Style = Parameters<typeof styleText>[0]

/** The width of `server → parent`. */
const WHO = 17
const BAR = 30
const BYTES_PER_LINE = 12

export interface Screen {
  heading(text: string): void
  line(text?: string): void
  /** Shows one event of a PT's life, if it is part of the dialogue. */
  said(who: string, event: PtEvent): void
  /** The same stretch of a connection, in the clear and as an observer sees it. */
  wire(plain: Uint8Array, wire: Uint8Array): void
  progress(done: number, total: number, seconds: number): void
  facts(pairs: readonly (readonly [name: string, value: string])[]): void
}

export function createScreen(out: NodeJS.WriteStream): Screen {
  const styled = out.isTTY && process.env['NO_COLOR'] === undefined
  const paint = (style: Style, text: string): string => (styled ? styleText(style, text) : text)
  const line = (text = ''): void => void out.write(`${text}\n`)
  const said = (who: string, to: string, text: string, style: Style): void =>
    line(`  ${paint(style, `${who} → ${to}`.padEnd(WHO))} ${text}`)
  let lastTenth = 0
  return {
    line,
    heading: (text) => line(`\n${paint('bold', text)}`),
    said(who, event) {
      if (event.type === 'launching') {
        said('parent', who, paint('dim', `starts process ${event.pid}`), 'cyan')
        for (const [name, value] of Object.entries(event.environment)) said('parent', who, `${name}=${value}`, 'cyan')
      } else if (event.type === 'line') said(who, 'parent', event.line, who === 'server' ? 'yellow' : 'green')
      else if (event.type === 'stderr') said(who, 'stderr', paint('dim', event.line), 'dim')
      else if (event.type === 'warning') said(who, 'parent', `odd: ${event.message}`, 'red')
      else if (event.type === 'stopped') said('parent', who, paint('dim', `closes stdin; ${ending(event)}`), 'cyan')
    },
    wire(plain, wire) {
      line(`  ${'plain request'.padEnd(column)}on the wire`)
      for (let at = 0; at < plain.length; at += BYTES_PER_LINE) {
        const [left, right] = [plain, wire].map((bytes) => dump(bytes.subarray(at, at + BYTES_PER_LINE)))
        line(`  ${left!.padEnd(column)}${right}`)
      }
    },
    progress(done, total, seconds) {
      const tenth = Math.floor((done / total) * 10)
      const filled = Math.round((done / total) * BAR)
      const bar = `${'█'.repeat(filled)}${'░'.repeat(BAR - filled)}`
      const speed = seconds > 0 ? `${megabytes(done / seconds)}/s` : ''
      const text = `  ${bar} ${String(Math.floor((done / total) * 100)).padStart(3)} %  ${megabytes(done)}  ${speed}`
      if (out.isTTY) out.write(`\r${text}\u001b[K${done === total ? '\n' : ''}`)
      else if (tenth > lastTenth) line(text)
      lastTenth = tenth
    },
    facts(pairs) {
      const width = Math.max(...pairs.map(([name]) => name.length)) + 2
      for (const [name, value] of pairs) line(`  ${paint('dim', name.padEnd(width))}${value}`)
    },
  }
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}

const column = BYTES_PER_LINE * 4 + 5

/** `47 45 54 20  GET ` */
function dump(bytes: Uint8Array): string {
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
  const text = [...bytes].map((byte) => (byte > 0x1f && byte < 0x7f ? String.fromCodePoint(byte) : '·')).join('')
  return `${hex.padEnd(BYTES_PER_LINE * 3)} ${text}`
}

function ending({ code, signal }: { code: number | null; signal: string | null }): string {
  return signal === null ? `the process has ended with status ${code}` : `the process was ended by ${signal}`
}
