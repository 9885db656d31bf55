/** Keys of node:crypto that are used again and again, by their bytes. */
import type { KeyObject } from 'node:crypto'

const maxKeys = 64

/** `read`, which remembers the keys that it was called for: to read one costs as much as to use it, on Node 24 five times as much. */
export function keyCache(read: (bytes: Uint8Array) => KeyObject): (bytes: Uint8Array) => KeyObject {
  const keys = new Map<string, KeyObject>()
  return (bytes) => {
    const name = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
    const known = keys.get(name)
    if (known !== undefined) return known
    if (keys.size === maxKeys) keys.clear()
    const key = read(bytes)
    keys.set(name, key)
    return key
  }
}
