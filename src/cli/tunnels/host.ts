/**
 * The tunnels of one process: started all or none, exchanged while they run, and ended together.
 *
 *     SIGINT, SIGTERM    drain, end; a second one ends at once
 *     SIGHUP             reads the file again, where there is one; else as SIGTERM, as it comes from a closed terminal
 */
import { isPtError, withReported } from '../../error.ts'
import { SharedDialers } from '../../app/index.ts'
import { tuneEngine } from '../engine.ts'
import { atFirstSignal } from '../signals.ts'
import { UsageError } from '../usage.ts'
import { confidentialOf } from './confidential.ts'
import type { MetricsServer } from './metrics.ts'
import { serveMetrics } from './metrics.ts'
import type { TunnelOutput } from './output.ts'
import type { Started } from './start.ts'
import { startTunnel } from './start.ts'
import type { TunnelSpec } from './spec.ts'

export interface Plan {
  readonly tunnels: readonly TunnelSpec[]
  /** `<ip>:<port>` of the Prometheus endpoint. */
  readonly metrics: string | undefined
}

export interface HostOptions {
  readonly output: TunnelOutput
  /** The plan of a file that has changed. Throws an Error with what is wrong in it. */
  readonly reload?: (() => Plan) | undefined
}

/** Runs the tunnels until a signal, or until none is left. Resolves with the exit status; rejects where they do not start. */
export async function hostTunnels(plan: Plan, { output, reload }: HostOptions): Promise<number> {
  tuneEngine()
  const host = new TunnelHost(output)
  const stop = new Promise<void>((resolve) => {
    atFirstSignal(reload === undefined ? ['SIGINT', 'SIGTERM', 'SIGHUP'] : ['SIGINT', 'SIGTERM'], () => resolve())
  })
  // Whoever read our output has gone; the tunnels have not.
  process.stdout.on('error', () => undefined)
  try {
    if (reload !== undefined) process.on('SIGHUP', () => void host.reload(reload))
    const started = host.start(plan).then(() => host.deserted)
    const status = await Promise.race([stop.then(() => 0), started])
    output.say('stopping', status === 0 ? 'connections have a moment to end' : 'no tunnel is left')
    return status
  } finally {
    await host.close()
    output.close()
  }
}

class TunnelHost {
  /** Resolves with 1 when the last tunnel has ended by itself. */
  readonly deserted: Promise<number>
  readonly #output: TunnelOutput
  readonly #dialers = new SharedDialers()
  readonly #started = new Map<string, Started>()
  #plan: Plan = { tunnels: [], metrics: undefined }
  #metrics: MetricsServer | undefined
  #turn: Promise<unknown> = Promise.resolve()
  #closing = false
  #desert!: (status: number) => void

  constructor(output: TunnelOutput) {
    this.#output = output
    this.deserted = new Promise((resolve) => (this.#desert = resolve))
  }

  /** All or none: where one does not start, the others are closed and its error is thrown, with its name. */
  async start(plan: Plan): Promise<void> {
    const starting = this.#startAll(plan)
    this.#turn = starting.catch(() => undefined)
    await starting
  }

  async #startAll(plan: Plan): Promise<void> {
    await this.#measure(plan.metrics)
    const results = await Promise.allSettled(plan.tunnels.map((spec) => this.#start(spec)))
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    this.#plan = plan
  }

  /** Reads anew, and exchanges what has changed. What is wrong is said, and changes nothing. */
  reload(read: () => Plan): Promise<void> {
    const next = this.#turn.then(async () => {
      if (this.#closing) return
      let plan: Plan
      try {
        plan = read()
      } catch (error) {
        return this.#output.sayAsItIs('reload-failed', (error as Error).message)
      }
      await this.#exchange(plan)
    })
    this.#turn = next.catch((error: unknown) => this.#output.say('reload-failed', (error as Error).message))
    return this.#turn as Promise<void>
  }

  async close(): Promise<void> {
    this.#closing = true
    await this.#turn
    await Promise.all([...this.#started.values()].map(({ tunnel }) => tunnel.close()))
    await this.#metrics?.close()
  }

  async #start(spec: TunnelSpec): Promise<void> {
    this.#output.conceal(confidentialOf(spec))
    try {
      const onPtEvent: TunnelOutput['ptEvent'] = (name, event) => this.#output.ptEvent(name, event)
      const started = await startTunnel(spec, { dialers: this.#dialers, onPtEvent })
      if (this.#closing) return await started.tunnel.close()
      this.#started.set(spec.name, started)
      this.#output.show(started)
      started.tunnel.once('closed', () => {
        if (this.#started.get(spec.name) === started) this.#started.delete(spec.name)
        if (this.#started.size === 0 && !this.#closing) this.#desert(1)
      })
    } catch (error) {
      throw failedToStart(spec.name, error)
    }
  }

  async #exchange(plan: Plan): Promise<void> {
    const before = new Map(this.#plan.tunnels.map((spec) => [spec.name, JSON.stringify(spec)]))
    const after = new Map(plan.tunnels.map((spec) => [spec.name, JSON.stringify(spec)]))
    const kept = (name: string): boolean => before.get(name) === after.get(name) && this.#started.has(name)
    const leaving = [...this.#started.values()].filter(({ spec }) => !kept(spec.name))
    const coming = plan.tunnels.filter(({ name }) => !kept(name))
    this.#plan = plan
    for (const { spec } of leaving) this.#started.delete(spec.name)
    const closing = leaving.map(async ({ tunnel }) => await tunnel.close())
    // A PT holds its port and its state until it is gone; a client's port is free as soon as nobody listens.
    if (leaving.some(({ spec }) => spec.kind === 'server')) await Promise.all(closing)
    const results = await Promise.allSettled([...coming.map((spec) => this.#start(spec)), this.#measure(plan.metrics)])
    for (const result of results) {
      if (result.status === 'rejected') this.#output.say('reload-failed', (result.reason as Error).message)
    }
    const unchanged = plan.tunnels.length - coming.length
    this.#output.say('reloaded', `${unchanged} unchanged, ${coming.length} started, ${leaving.length} ended`)
    await Promise.all(closing)
  }

  async #measure(where: string | undefined): Promise<void> {
    if (where === this.#plan.metrics && this.#metrics !== undefined) return
    await this.#metrics?.close()
    this.#metrics = undefined
    if (where === undefined) return
    try {
      this.#metrics = await serveMetrics(where, () =>
        [...this.#started.values()].map(({ spec: { name, kind }, tunnel }) => ({ name, kind, stats: tunnel.stats })),
      )
    } catch (error) {
      throw failedToStart('metrics', error)
    }
    this.#output.metrics(`http://${this.#metrics.address}/metrics`)
  }
}

/** Mistakes of whoever wrote the command are told apart from what went wrong with it. */
function failedToStart(name: string, error: unknown): Error {
  const message = `${name}: ${explain(error)}`
  const mistake = isPtError(error, 'PT_EXEC', 'PT_ADDRESS', 'PT_PROXY_URI', 'PT_BRIDGE_LINE', 'PT_NAME', 'PT_ARGS')
  return mistake ? new UsageError(message) : new Error(message, { cause: error })
}

function explain(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'EADDRINUSE') return 'the address to listen on is in use'
  if (code === 'EACCES') return 'no permission to listen there; ports below 1024 need a privilege'
  if (code === 'EADDRNOTAVAIL') return 'the address to listen on is not one of this machine'
  return withReported(error as Error)
}
