/** All probes of a PT, by role. */
import type { Probe } from '../../probe.ts'
import type { PtLab } from '../pt-lab.ts'
import type { Role } from '../../verdict.ts'
import { anonProbes } from './anon.ts'
import { argsProbes } from './args.ts'
import { cmethodProbes } from './cmethod.ts'
import { envProbes } from './env.ts'
import { extorProbes } from './extor.ts'
import { lineProbes } from './lines.ts'
import { proxyProbes } from './proxy.ts'
import { smethodProbes } from './smethod.ts'
import { socksProbes } from './socks.ts'
import { stopProbes } from './stop.ts'
import { trafficProbes } from './traffic.ts'
import { versionProbes } from './version.ts'

/** The probes of one role, in the order of the draft. */
export function ptProbes(role: Role): Probe<PtLab>[] {
  const common = [versionProbes, envProbes, lineProbes, stopProbes, trafficProbes].flatMap((of) => of(role))
  const own = [
    ...proxyProbes,
    ...cmethodProbes,
    ...socksProbes,
    ...argsProbes,
    ...smethodProbes,
    ...extorProbes,
    ...anonProbes,
  ]
  return [...common, ...own.filter((probe) => probe.role === role)]
}
