/**
 * Transports whose bridge lines are handed out, ours and others': which names there are, and whose address means something.
 */

/** Those that connect to the address of the line. */
const dialled: ReadonlySet<string> = new Set(['obfs2', 'obfs3', 'obfs4', 'scramblesuit', 'fte'])

/** Those whose lines have an address for the sake of having one; where they connect to is among their arguments. */
const madeUp: ReadonlySet<string> = new Set(['webtunnel', 'snowflake', 'meek', 'meek_lite', 'conjure', 'dnstt'])

/** All of them. */
export const knownTransports: readonly string[] = [...dialled, ...madeUp]

/** What the address of a line is to its transport. */
export function addressUse(transport: string | undefined): 'dialled' | 'made up' | 'unknown' {
  if (transport === undefined) return 'unknown'
  return dialled.has(transport) ? 'dialled' : madeUp.has(transport) ? 'made up' : 'unknown'
}
