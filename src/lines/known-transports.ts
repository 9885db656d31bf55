/**
 * Transports whose bridge lines are handed out, ours and others': which names there are, and whose address means something.
 */

/** The transports that connect to the address of the line. */
const dialled: ReadonlySet<string> = new Set(['obfs2', 'obfs3', 'obfs4', 'scramblesuit', 'fte'])

/** The transports whose lines have a made-up address, as every line must have one; the real one is among their arguments. */
const madeUp: ReadonlySet<string> = new Set(['webtunnel', 'snowflake', 'meek', 'meek_lite', 'conjure', 'dnstt'])

/** The names of all of them. */
export const knownTransports: readonly string[] = [...dialled, ...madeUp]

/** Says what the address of a line means to its transport. */
export function addressUse(transport: string | undefined): 'dialled' | 'made up' | 'unknown' {
  if (transport === undefined) return 'unknown'
  return dialled.has(transport) ? 'dialled' : madeUp.has(transport) ? 'made up' : 'unknown'
}
