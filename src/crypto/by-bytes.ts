/** What is made of some bytes and wanted again and again: keys of node:crypto, shapes of seeds. */

/** `make`, which remembers what it made last of `size` different bytes. */
export function byBytes<Value>(size: number, make: (bytes: Uint8Array) => Value): (bytes: Uint8Array) => Value {
  const made = new Map<string, Value>()
  return (bytes) => {
    const name = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
    const value = made.get(name) ?? make(bytes)
    // The last one used is the last to go.
    made.delete(name)
    made.set(name, value)
    for (const oldest of made.keys()) {
      if (made.size <= size) break
      made.delete(oldest)
    }
    return value
  }
}
