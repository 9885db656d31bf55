/** The tunnel of a command line, which is alone in its process. */
import { checked, checkedMaybe } from './flags.ts'
import { hostTunnels } from './host.ts'
import { createTunnelOutput } from './output.ts'
import type { TunnelSpec } from './spec.ts'
import { checks } from './spec.ts'

interface HostFlags {
  readonly metrics?: string | undefined
  readonly 'metrics-host'?: readonly string[] | undefined
  readonly 'print-line'?: boolean | undefined
  readonly json?: boolean | undefined
  readonly 'show-addresses'?: boolean | undefined
}

/** As hostTunnels. Throws UsageError. */
export async function hostOne(spec: TunnelSpec, values: HostFlags): Promise<number> {
  const address = checkedMaybe('--metrics', values.metrics, checks.loopback)
  const hosts = values['metrics-host'] ?? []
  for (const host of hosts) checked('--metrics-host', host, checks.host)
  const metrics = address === undefined ? undefined : { address, hosts }
  const output = createTunnelOutput({
    json: values.json ?? false,
    printLine: values['print-line'] ?? false,
    showAddresses: values['show-addresses'] ?? false,
  })
  return await hostTunnels({ tunnels: [spec], metrics }, { output })
}
