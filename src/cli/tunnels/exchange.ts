/**
 * What a reload has to do, found out before anything is touched.
 *
 *     runs  wanted                       what becomes of it
 *     a     a                            it stays, with its connections
 *     a     a', and its port is free     a ends, a' starts
 *     a     a', and its port is taken    a stays; a' is tried again later
 *     a     –                            it ends
 *     –     a, and its port is taken     it is tried again later
 *
 * A port is free too if the tunnel that holds it ends in the same reload: two tunnels may change places.
 */
import { createServer } from 'node:net'
import { listen } from '../../io/tcp/listen.ts'
import type { Address } from '../../ipc/index.ts'
import type { TunnelSpec } from './spec.ts'

export interface Exchange {
  /** Names of running tunnels. */
  readonly ending: readonly string[]
  readonly starting: readonly TunnelSpec[]
  /** Those that cannot start now, and the system's error. */
  readonly blocked: readonly Blocked[]
}

export interface Blocked {
  readonly spec: TunnelSpec
  readonly error: unknown
}

/** `running` are the specs of the tunnels that run. */
export async function planExchange(wanted: readonly TunnelSpec[], running: readonly TunnelSpec[]): Promise<Exchange> {
  const asRunning = new Map(running.map((spec) => [spec.name, JSON.stringify(spec)]))
  const coming = wanted.filter((spec) => asRunning.get(spec.name) !== JSON.stringify(spec))
  const taken = new Map<TunnelSpec, unknown>()
  for (const spec of coming) {
    const error = await whyNotListen(spec.listen)
    if (error !== undefined) taken.set(spec, error)
  }
  const unwanted = new Set(running.map(({ name }) => name))
  for (const { name } of wanted) unwanted.delete(name)
  const blocked = new Map<string, Blocked>()
  const endingOf = (): TunnelSpec[] => {
    const changed = new Set(coming.map(({ name }) => name).filter((name) => !blocked.has(name)))
    return running.filter(({ name }) => unwanted.has(name) || changed.has(name))
  }
  // A tunnel that has to stay keeps its port from another one, which then has to stay as well.
  for (;;) {
    const freed = new Set(endingOf().map(({ listen }) => listen.port))
    const found = coming.find((spec) => taken.has(spec) && !blocked.has(spec.name) && !freed.has(spec.listen.port))
    if (found === undefined) break
    blocked.set(found.name, { spec: found, error: taken.get(found) })
  }
  return {
    ending: endingOf().map(({ name }) => name),
    starting: coming.filter(({ name }) => !blocked.has(name)),
    blocked: [...blocked.values()],
  }
}

/** Returns the system's error if no program can listen there at this moment. */
export async function whyNotListen({ host, port }: Address): Promise<unknown> {
  if (port === 0) return undefined
  const server = createServer((conn) => conn.destroy())
  try {
    await listen(server, host, port)
    return undefined
  } catch (error) {
    return error
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
}
