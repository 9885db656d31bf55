/** Two tunnels of one process cannot listen in the same place, and two bridges cannot have the same identity. */
import { realpathSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import { basename, dirname, join } from 'node:path'
import type { Address } from '../../ipc/index.ts'
import type { TunnelSpec } from './spec.ts'

export interface Clash {
  /** The later of the two. */
  readonly spec: TunnelSpec
  readonly option: 'listen' | 'stateDir'
  readonly why: string
}

/** The first clash among tunnels, or of one with the address of the metrics. */
export function findClash(tunnels: readonly TunnelSpec[], metrics: Address | undefined): Clash | undefined {
  for (const [at, spec] of tunnels.entries()) {
    if (metrics !== undefined && collide(spec.listen, metrics)) {
      return { spec, option: 'listen', why: 'the metrics are there already' }
    }
    for (const other of tunnels.slice(0, at)) {
      const clash = clashOf(spec, other)
      if (clash !== undefined) return clash
    }
  }
  return undefined
}

function clashOf(spec: TunnelSpec, other: TunnelSpec): Clash | undefined {
  if (collide(spec.listen, other.listen)) return { spec, option: 'listen', why: `${other.name} listens there already` }
  if (spec.kind === 'client' || other.kind === 'client' || spec.transport !== other.transport) return undefined
  if (realPath(spec.stateDir) !== realPath(other.stateDir)) return undefined
  const why = `it is the one of ${other.name}, with the same transport: two bridges would write over each other's identity`
  return { spec, option: 'stateDir', why }
}

/** True if the system would not let both listen there. Port 0 is another port each time. */
function collide(one: Address, other: Address): boolean {
  if (one.port !== other.port || one.port === 0 || isIPv6(one.host) !== isIPv6(other.host)) return false
  return one.host === other.host || isWildcard(one) || isWildcard(other)
}

function isWildcard({ host }: Address): boolean {
  return /^(?:0\.0\.0\.0|[0:]+)$/.test(host)
}

/** Returns the path without links; of a folder that is not there yet, its future path. */
function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    const parent = dirname(path)
    return parent === path ? path : join(realPath(parent), basename(path))
  }
}
