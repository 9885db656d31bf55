/**
 * Versions of the specification. Section "Common Environment Variables", TOR_PT_MANAGED_TRANSPORT_VER.
 *
 *     TOR_PT_MANAGED_TRANSPORT_VER=1,1a,2b,this_is_a_valid_ver
 */
import { PtError } from '../error.ts'
import { quoted } from './line.ts'

/** The version that this package speaks (VER-4). */
export const VERSION = '1'

/** True for non-whitespace, non-comma printable ASCII (ENV-3). */
export function isVersion(text: string): boolean {
  return /^[\x21-\x2b\x2d-\x7e]+$/.test(text)
}

/** Returns the version to use; undefined if the list holds none of ours. Names are compared exactly: neither `01` nor ` 1` is 1. */
export function negotiateVersion(list: string): typeof VERSION | undefined {
  return list.split(',').includes(VERSION) ? VERSION : undefined
}

/** Writes the list as a parent does. Throws PT_VERSION for an empty list or an item that is no version. */
export function formatVersions(versions: readonly string[]): string {
  if (versions.length === 0) throw new PtError('PT_VERSION', 'the list of supported versions is empty')
  for (const version of versions) {
    if (!isVersion(version)) throw new PtError('PT_VERSION', `${quoted(version)} is not a version`)
  }
  return versions.join(',')
}
