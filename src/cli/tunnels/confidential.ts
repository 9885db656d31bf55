/** What a tunnel knows of its bridges and its proxy, and its output is not to repeat after a PT. */
import { parseBridgeLine, parseNamedProxy } from '../../app/index.ts'
import { parseTarget, secretsOf } from '../../ipc/index.ts'
import type { TunnelSpec } from './spec.ts'

export interface Confidential {
  /** Shown if addresses were asked for. */
  readonly addresses: readonly string[]
  /** Never shown. */
  readonly secrets: readonly string[]
}

/** The spec has been checked. */
export function confidentialOf(spec: TunnelSpec): Confidential {
  if (spec.kind === 'server') {
    return {
      addresses: spec.publicAddress === undefined ? [] : [spec.publicAddress],
      secrets: Object.values(spec.options),
    }
  }
  const lines = spec.bridges.map((line) => parseBridgeLine(line))
  const addresses = lines.flatMap(({ address }) => secretsOf(address, []))
  const secrets = lines
    .flatMap(({ address, args }) => secretsOf(address, args))
    .filter((one) => !addresses.includes(one))
  if (spec.proxy === undefined) return { addresses, secrets }
  const {
    uri: { user, password },
    target,
  } = parseNamedProxy(spec.proxy)
  return { addresses: [...addresses, parseTarget(target).host], secrets: [...secrets, user ?? '', password ?? ''] }
}
