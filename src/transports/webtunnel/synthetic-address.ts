/**
 * The address in the bridge line of a webtunnel bridge. It leads nowhere: tor wants one in every line, and tells bridges apart by it.
 *
 *     2001:db8::/32 | bytes 4 … 15 of SHA-256("WEBTUNNEL+" url)           port 443
 */
import { createHash } from 'node:crypto'
import type { Address } from '../../ipc/index.ts'

const PREFIX = Buffer.from('20010db8', 'hex')
const LENGTH = 16

/** The same address that webtunnel-server announces for this url. */
export function syntheticAddress(url: string): Address {
  const hash = createHash('sha256').update(`WEBTUNNEL+${url}`).digest()
  const bytes = Buffer.concat([PREFIX, hash.subarray(PREFIX.length, LENGTH)])
  const groups = Array.from({ length: LENGTH / 2 }, (_, at) => bytes.readUInt16BE(2 * at).toString(16))
  // A URL has its host in the shortest form (RFC 5952), as Go writes it too.
  return { host: new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1), port: 443 }
}
