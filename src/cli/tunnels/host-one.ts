/** The tunnel of a command line, which is alone in its process. */
import { checkedMaybe } from './flags.ts'
import { hostTunnels } from './host.ts'
import { createTunnelOutput } from './output.ts'
import type { TunnelSpec } from './spec.ts'
import { checks } from './spec.ts'

interface HostFlags {
  readonly metrics?: string | undefined
  readonly json?: boolean | undefined
  readonly 'show-addresses'?: boolean | undefined
}

/** As hostTunnels. Throws UsageError. */
export async function hostOne(spec: TunnelSpec, values: HostFlags): Promise<number> {
  const metrics = checkedMaybe('--metrics', values.metrics, checks.loopback)
  const output = createTunnelOutput(process.stdout, {
    json: values.json ?? false,
    showAddresses: values['show-addresses'] ?? false,
  })
  return await hostTunnels({ tunnels: [spec], metrics }, { output })
}
