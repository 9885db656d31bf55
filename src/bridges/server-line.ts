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
  return lineOf(transport, isMadeUp(address) ? address : publicOf(address, publicAddress), args)
}

/**
 * True for the address that webtunnel-server and our webtunnel announce, of 2001:db8::/32: clients connect to a front, and the real
 * address of the bridge has no place in its line.
 */
function isMadeUp({ host }: Address): boolean {
  return /^2001:0?db8:/i.test(host)
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
