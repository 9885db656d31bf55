/** Remembers what was made from some bytes and is wanted again and again: keys of node:crypto, shapes of seeds. */

/** Gives `make` with a memory: it remembers the results for the `size` different inputs that were used last. */
export function memoizeByBytes<Value>(size: number, make: (bytes: Uint8Array) => Value): (bytes: Uint8Array) => Value {
  const made = new Map<string, Value>()
  return (bytes) => {
    const name = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
    const value = made.get(name) ?? make(bytes)
    // A Map keeps the order of insertion: the value that was used last goes to the end.
    made.delete(name)
    made.set(name, value)
    for (const oldest of made.keys()) {
      if (made.size <= size) break
      made.delete(oldest)
    }
    return value
  }
}
