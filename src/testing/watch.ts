/**
 * What a piece of code starts and leaves running: timers, and sockets, look-ups and processes of its own.
 */
import { AsyncLocalStorage, createHook } from 'node:async_hooks'

/** How Node calls what a transport must not make by itself. */
const STRAY_TYPES: ReadonlySet<string> = new Set([
  'TCPCONNECTWRAP',
  'TCPSERVERWRAP',
  'PIPECONNECTWRAP',
  'PIPESERVERWRAP',
  'UDPWRAP',
  'GETADDRINFOREQWRAP',
  'QUERYWRAP',
  'PROCESSWRAP',
])

export interface Watch extends Disposable {
  /** Timers that are running. One that was cleared stays here until the next turn. */
  readonly timers: ReadonlySet<number>
  /** Each thing that was opened, as Node calls it. */
  readonly strays: readonly string[]
  /** Runs `act`; what it starts, now or later, is watched. */
  inside<T>(act: () => T): T
  /** Runs `act` unwatched. */
  outside<T>(act: () => T): T
}

export function watch(): Watch {
  const context = new AsyncLocalStorage<true>()
  const timers = new Set<number>()
  const strays: string[] = []
  const hook = createHook({
    init(id, type) {
      if (context.getStore() === undefined) return
      if (type === 'Timeout') timers.add(id)
      else if (STRAY_TYPES.has(type)) strays.push(type)
    },
    destroy: (id) => void timers.delete(id),
  }).enable()
  return {
    timers,
    strays,
    inside: (act) => context.run(true, act),
    outside: (act) => context.exit(act),
    [Symbol.dispose]: () => void hook.disable(),
  }
}
