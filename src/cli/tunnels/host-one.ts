/** The tunnel of a command line, which is alone in its process. */
import { metricsOf } from './flags.ts'
import { hostTunnels } from './host.ts'
import type { OutputOptions } from './output.ts'
import { createTunnelOutput } from './output.ts'
import type { ProcessValues } from './schema/tunnel-options.ts'
import type { TunnelSpec } from './spec.ts'

export interface OneTunnel {
  readonly spec: TunnelSpec
  /** A sentence for each bridge line that is passed over. */
  readonly passedOver: readonly string[]
}

/** Runs as hostTunnels does. */
export async function hostOne(
  { spec, passedOver }: OneTunnel,
  values: ProcessValues,
  printed: OutputOptions,
): Promise<number> {
  const plan = {
    tunnels: [spec],
    metrics: metricsOf(values),
    passedOver: passedOver.map((message) => ({ tunnel: spec.name, message })),
  }
  return await hostTunnels(plan, { output: createTunnelOutput(printed) })
}
