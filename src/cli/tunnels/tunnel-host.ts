/**
 * The tunnels that one process keeps running: started all or none, exchanged in one step while they run, closed together.
 */
import { SharedDialers } from '../../app/index.ts'
import type { Address } from '../../ipc/index.ts'
import { Backoff } from './backoff.ts'
import { confidentialOf } from './confidential.ts'
import type { Blocked } from './exchange.ts'
import { planExchange } from './exchange.ts'
import type { MetricsPlan, MetricsServer } from './metrics.ts'
import { serveMetrics } from './metrics.ts'
import type { TunnelOutput } from './output.ts'
import type { Started } from './start.ts'
import { startTunnel } from './start.ts'
import { failedToStart, whyNotStarted } from './start-failure.ts'
import type { TunnelSpec } from './spec.ts'

export interface Plan {
  readonly tunnels: readonly TunnelSpec[]
  /** The Prometheus endpoint. */
  readonly metrics: MetricsPlan | undefined
  /** The bridge lines that are passed over. */
  readonly passedOver: readonly PassedOver[]
}

export interface PassedOver {
  readonly tunnel: string
  /** Which line it is, and why; without its address. */
  readonly message: string
}

const nothing: Plan = { tunnels: [], metrics: undefined, passedOver: [] }

export class TunnelHost {
  /** Resolves with 1 when the last tunnel has ended by itself. */
  readonly deserted: Promise<number>
  readonly #output: TunnelOutput
  readonly #dialers = new SharedDialers()
  readonly #running = new Map<string, Started>()
  /** Tunnels that no reload knows any more, while their connections end. */
  readonly #leaving = new Set<Promise<void>>()
  readonly #retry = new Backoff(() => void this.#inTurn(() => this.#settle()))
  /** What was last said of a tunnel that cannot start, or of the metrics. */
  readonly #said = new Map<string, string>()
  #wanted: Plan = nothing
  #metrics: MetricsServer | undefined
  #turn: Promise<unknown> = Promise.resolve()
  #reloadWaits = false
  #busy = false
  #closing = false
  #desert!: (status: number) => void

  constructor(output: TunnelOutput) {
    this.#output = output
    this.deserted = new Promise((resolve) => (this.#desert = resolve))
  }

  /** Starts all or none: if one does not start, the error is thrown with its name, and close() ends the others. */
  async start(plan: Plan): Promise<void> {
    await this.#inTurn(async () => {
      if (plan.metrics !== undefined) await this.#openMetrics(plan.metrics)
      this.#sayPassedOver(plan)
      const results = await Promise.allSettled(plan.tunnels.map((spec) => this.#start(spec)))
      const failed = results.find((result) => result.status === 'rejected')
      if (failed !== undefined) throw failed.reason
      this.#wanted = plan
    })
    this.#endIfDeserted()
  }

  /** Reads the plan again, and exchanges what has changed. A mistake in it is said, and changes nothing. */
  async reload(read: () => Plan): Promise<void> {
    // A reload that still waits will read what there is to read now.
    if (this.#reloadWaits) return
    this.#reloadWaits = true
    await this.#inTurn(async () => {
      this.#reloadWaits = false
      if (this.#closing) return
      let plan: Plan
      try {
        plan = read()
      } catch (error) {
        return this.#output.sayAsItIs('reload-failed', (error as Error).message)
      }
      this.#wanted = plan
      this.#sayPassedOver(plan)
      this.#said.clear()
      this.#retry.reset()
      const counts = await this.#settle()
      this.#output.say('reloaded', counts)
    })
  }

  async close(): Promise<void> {
    this.#closing = true
    this.#retry.stop()
    await this.#turn
    for (const { tunnel } of this.#running.values()) this.#leave(tunnel.close())
    await Promise.all(this.#leaving)
    await this.#metrics?.close()
  }

  /** Runs one act after another. A failure is for the caller of that act, and stops no other. */
  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(async () => {
      this.#busy = true
      try {
        return await act()
      } finally {
        this.#busy = false
      }
    })
    this.#turn = result.catch(() => undefined)
    return result
  }

  #sayPassedOver({ passedOver }: Plan): void {
    for (const { tunnel, message } of passedOver) this.#output.passedOver(tunnel, message)
  }

  async #start(spec: TunnelSpec): Promise<void> {
    this.#output.conceal(confidentialOf(spec))
    try {
      const started = await startTunnel(spec, { dialers: this.#dialers, output: this.#output })
      if (this.#closing) return await started.tunnel.close()
      this.#running.set(spec.name, started)
      this.#output.show(started)
      started.tunnel.once('closed', () => {
        if (this.#running.get(spec.name) === started) this.#running.delete(spec.name)
        this.#endIfDeserted()
      })
    } catch (error) {
      throw failedToStart(spec.name, error)
    }
  }

  /** In the middle of an exchange there may be a moment without a tunnel, and a tunnel that is tried again may run later. */
  #endIfDeserted(): void {
    if (this.#running.size === 0 && !this.#busy && !this.#closing && !this.#retry.waits) this.#desert(1)
  }

  /** Starts and ends tunnels until those that are wanted run, as far as that goes now; the rest is tried again. Says in words what it did. */
  async #settle(): Promise<string> {
    if (this.#closing) return ''
    const { tunnels, metrics } = this.#wanted
    const { ending, starting, blocked } = await planExchange(
      tunnels,
      [...this.#running.values()].map(({ spec }) => spec),
    )
    const unchanged = tunnels.length - starting.length - blocked.length
    await this.#end(ending)
    const results = await Promise.allSettled(starting.map((spec) => this.#start(spec)))
    const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as Error] : []))
    const measured = await this.#measure(metrics)
    for (const [at, result] of results.entries()) {
      if (result.status === 'rejected') this.#sayOnce(starting[at]!.name, (result.reason as Error).message)
      else this.#said.delete(starting[at]!.name)
    }
    for (const one of blocked) this.#sayBlocked(one)
    const failed = errors.length + blocked.length
    if (failed > 0 || !measured) this.#retry.next()
    else this.#retry.reset()
    setImmediate(() => this.#endIfDeserted())
    const again = failed === 0 ? '' : `, ${failed} to be tried again`
    return `${unchanged} unchanged, ${starting.length - errors.length} started, ${ending.length} ended${again}`
  }

  /** Their connections have a moment. Only tunnels that need the same ports wait until those are free. */
  async #end(names: readonly string[]): Promise<void> {
    const ending = names.map((name) => this.#running.get(name)!)
    for (const name of names) this.#running.delete(name)
    for (const { tunnel } of ending) this.#leave(tunnel.close())
    await Promise.all(ending.map(({ tunnel }) => tunnel.released))
  }

  #leave(closing: Promise<void>): void {
    const left = closing.finally(() => this.#leaving.delete(left))
    this.#leaving.add(left)
  }

  #sayBlocked({ spec: { name }, error }: Blocked): void {
    const stays = this.#running.has(name) ? 'the tunnel stays as it was, and the change' : 'it'
    this.#sayOnce(name, `${name}: ${whyNotStarted(error)}; ${stays} is tried again`)
  }

  #sayOnce(key: string, message: string): void {
    if (this.#said.get(key) === message) return
    this.#said.set(key, message)
    this.#output.say('reload-failed', message)
  }

  /** False if the endpoint cannot move to its new address; it then keeps the old one. */
  async #measure(plan: MetricsPlan | undefined): Promise<boolean> {
    const before = this.#metrics
    if (before !== undefined && plan !== undefined && sameAddress(before.plan.address, plan.address)) {
      before.plan = plan
      return true
    }
    try {
      if (plan === undefined) this.#metrics = undefined
      else await this.#openMetrics(plan)
      this.#said.delete('metrics')
    } catch (error) {
      const stays = before === undefined ? '' : 'they keep their address, and '
      this.#sayOnce('metrics', `${(error as Error).message}; ${stays}it is tried again`)
      return false
    }
    await before?.close()
    return true
  }

  async #openMetrics(plan: MetricsPlan): Promise<void> {
    try {
      this.#metrics = await serveMetrics(plan, () =>
        [...this.#running.values()].map(({ spec: { name, kind }, tunnel }) => ({ name, kind, stats: tunnel.stats })),
      )
    } catch (error) {
      throw failedToStart('metrics', error)
    }
    this.#output.metrics(`http://${this.#metrics.address}/metrics`)
  }
}

function sameAddress(one: Address, other: Address): boolean {
  return one.host === other.host && one.port === other.port
}
