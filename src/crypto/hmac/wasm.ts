/**
 * HMAC-SHA256 in WebAssembly (assembly/hmac.ts). The messages are in its memory for the length of a call.
 */
import type { WasmGlobal, WasmMemory } from '../web-assembly.ts'
import { webAssembly } from '../web-assembly.ts'
import { hmacKernelBase64 } from './binary.ts'

/** The longest key, in bytes. HMAC hashes longer keys first, which this kernel does not do. */
export const maxKey = 64
const digestLength = 32
const statesLength = 64

export interface HmacKernel {
  /** The longest message, in bytes. */
  readonly maxMessage: number
  /** Gives what is kept of a key of up to 64 bytes: 64 bytes, which are as secret as the key. */
  states(key: Uint8Array): Uint8Array
  /** Gives the HMAC of the parts put together: 32 bytes. */
  digest(states: Uint8Array, parts: readonly (Uint8Array | string)[]): Buffer
  /** Gives the HMACs of several messages: `begin` followed by each of `ends`. */
  digests(states: Uint8Array, begin: Uint8Array, ends: readonly string[]): Buffer[]
}

interface Exports {
  readonly memory: WasmMemory
  readonly KEY: WasmGlobal
  readonly STATES: WasmGlobal
  readonly MESSAGE: WasmGlobal
  readonly MESSAGE_LENGTH: WasmGlobal
  readonly DIGEST: WasmGlobal
  setKey(): void
  begin(length: number): void
  end(length: number): void
}

/** Gives the kernel; undefined if this Node cannot run it. */
export function hmacKernel(): HmacKernel | undefined {
  const bytes = Buffer.from(hmacKernelBase64, 'base64')
  if (webAssembly?.validate(bytes) !== true) return undefined
  const exports = new webAssembly.Instance(new webAssembly.Module(bytes)).exports as Exports
  const memory = Buffer.from(exports.memory.buffer)
  const [keyAt, statesAt, messageAt] = [exports.KEY.value, exports.STATES.value, exports.MESSAGE.value]
  const digest = memory.subarray(exports.DIGEST.value, exports.DIGEST.value + digestLength)
  return {
    maxMessage: exports.MESSAGE_LENGTH.value,
    states(key) {
      memory.fill(0, keyAt, keyAt + maxKey)
      memory.set(key, keyAt)
      exports.setKey()
      return Uint8Array.from(memory.subarray(statesAt, statesAt + statesLength))
    },
    digest(states, parts) {
      let at = messageAt
      for (const part of parts) {
        if (typeof part === 'string') at += memory.write(part, at)
        else {
          memory.set(part, at)
          at += part.length
        }
      }
      memory.set(states, statesAt)
      exports.begin(0)
      exports.end(at - messageAt)
      return Buffer.from(digest)
    },
    digests(states, begin, ends) {
      memory.set(begin, messageAt)
      memory.set(states, statesAt)
      exports.begin(begin.length)
      const digests: Buffer[] = []
      for (const end of ends) {
        exports.end(begin.length + memory.write(end, messageAt + begin.length))
        digests.push(Buffer.from(digest))
      }
      return digests
    },
  }
}
