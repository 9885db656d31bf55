/**
 * The ports of this process. All of them share its file descriptors, so there is one account for all: no port accepts a connection
 * for which no descriptor is left.
 */
import { createConnections } from '../sessions/connections.ts'
import { Ports } from '../sessions/ports.ts'
import { silentReport } from '../sessions/silent-report.ts'

let ports: Ports | undefined

/** Made at the first use, as descriptors that are open by then count as used for other things. */
export function ownPorts(): Ports {
  ports ??= new Ports(createConnections(), silentReport)
  return ports
}
