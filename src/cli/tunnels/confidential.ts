/** What a tunnel knows of its bridges and its proxy, which its output must not repeat after a PT. */
import { parseNamedProxy } from '../../app/index.ts'
import { parseTarget, secretsOf } from '../../ipc/index.ts'
import type { TunnelSpec } from './spec.ts'

export interface Confidential {
  /** Shown if addresses were asked for. */
  readonly addresses: readonly string[]
  /** Never shown. */
  readonly secrets: readonly string[]
}

export function confidentialOf(spec: TunnelSpec): Confidential {
  if (spec.kind === 'server') {
    const { publicAddress, options } = spec
    return { addresses: publicAddress === undefined ? [] : [publicAddress.host], secrets: Object.values(options) }
  }
  const addresses = spec.bridges.flatMap(({ address }) => secretsOf(address, []))
  const secrets = spec.bridges
    .flatMap(({ address, args }) => secretsOf(address, args))
    .filter((one) => !addresses.includes(one))
  if (spec.proxy === undefined) return { addresses, secrets }
  const {
    uri: { user, password },
    target,
  } = parseNamedProxy(spec.proxy)
  return { addresses: [...addresses, parseTarget(target).host], secrets: [...secrets, user ?? '', password ?? ''] }
}
