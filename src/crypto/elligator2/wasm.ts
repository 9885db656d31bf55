/**
 * Elligator 2 in WebAssembly (assembly/elligator2.ts). Seeds and keys are in its memory for the length of a call.
 */
import type { WasmGlobal, WasmMemory } from '../web-assembly.ts'
import { webAssembly } from '../web-assembly.ts'
import { elligatorKernelBase64 } from './binary.ts'
import type { Elligator2 } from './implementation.ts'

const keyLength = 32

interface Exports {
  readonly memory: WasmMemory
  readonly SEED: WasmGlobal
  readonly PUBLIC_KEY: WasmGlobal
  readonly REPRESENTATIVE: WasmGlobal
  attempt(): number
  decode(): void
}

/** Gives the implementation; undefined if this Node cannot run it. */
export function wasmElligator2(): Elligator2 | undefined {
  const bytes = Buffer.from(elligatorKernelBase64, 'base64')
  if (webAssembly?.validate(bytes) !== true) return undefined
  const exports = new webAssembly.Instance(new webAssembly.Module(bytes)).exports as Exports
  const memory = new Uint8Array(exports.memory.buffer)
  const [seedAt, publicAt, representativeAt] = [
    exports.SEED.value,
    exports.PUBLIC_KEY.value,
    exports.REPRESENTATIVE.value,
  ]
  const keyAt = (at: number): Uint8Array => memory.slice(at, at + keyLength)
  return {
    key(seed) {
      memory.set(seed, seedAt)
      if (exports.attempt() === 0) return undefined
      return { publicKey: keyAt(publicAt), representative: keyAt(representativeAt) }
    },
    decode(representative) {
      memory.set(representative, representativeAt)
      exports.decode()
      return keyAt(publicAt)
    },
  }
}
