/** The bridge line of a server, as its clients take it. */
import { isIP } from 'node:net'
import type { Address, Args } from '../ipc/index.ts'
import { formatAddress, isHostName, parseTarget } from '../ipc/index.ts'
import { formatBridgeLine } from '../lines/bridge-line.ts'

/** Takes the place of the address in a line that still lacks it. No program reads it as an address. */
export const PLACEHOLDER = '<IP ADDRESS>'

/** The line of one server; see BridgeServer. Throws PT_ADDRESS. */
export function bridgeLineOf(
  transport: string,
  { address, args }: { readonly address: Address; readonly args: Args },
  publicAddress?: string,
): string {
  return lineOf(transport, publicOf(address, publicAddress), args)
}

function publicOf(bound: Address, given: string | undefined): Address {
  if (given === undefined) return bound
  const host = given.replace(/^\[(.*)\]$/, '$1')
  return isIP(host) !== 0 || isHostName(host) ? { host, port: bound.port } : parseTarget(given)
}

function lineOf(transport: string, { host, port }: Address, args: Args): string {
  if (!/^(?:0\.0\.0\.0|::)$/.test(host)) {
    return formatBridgeLine({ transport, address: formatAddress({ host, port }), args })
  }
  const pairs = [...args].map(([key, value]) => `${key}=${value}`)
  return [transport, `${PLACEHOLDER}:${port}`, ...pairs].join(' ')
}
