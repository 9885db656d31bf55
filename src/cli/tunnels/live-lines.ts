/** The last lines of a terminal, one per tunnel, which are written over and over while it runs. */
import { styleText } from 'node:util'
import type { Tunnel, TunnelStats } from '../../app/index.ts'

/** How often they are written again, in ms. */
const REFRESH = 500

export interface LiveLines {
  add(name: string, tunnel: Tunnel): void
  remove(name: string): void
  /** Writes a line that stays, above the live ones. */
  above(line: string): void
  refresh(): void
  close(): void
}

export function liveLines(out: NodeJS.WriteStream): LiveLines {
  const tunnels = new Map<string, Tunnel>()
  let drawn = 0
  const erase = (): void => {
    // The terminal itself may have written a ^C, so the cursor may be in any column.
    if (drawn > 0) out.write(`\r\u001b[${drawn}A\u001b[0J`)
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
