/**
 * The kernel in WebAssembly (assembly/): a whole read or a whole write in one call, and nothing is allocated for a frame.
 *
 *     memory   … | room (2 KiB) | input (128 KiB) | slack | room | output (what input comes to, and padding)
 *
 * The state of a direction, 96 bytes, is with its owner and visits the module for the length of a call: so there are no
 * places in its memory to be given out, to be given back, and to run out of.
 */
import { frameKernelBase64 } from './binary.ts'
import type { FrameFailure, FrameKernel, Opened, Opening, Sealing, TakePacket } from './kernel.ts'
import { forgedBoxLength, frameError, nothing } from './kernel.ts'
import { framesLength, maxPacketPayload } from './sizes.ts'
import type { WasmGlobal, WasmMemory } from './web-assembly.ts'
import { webAssembly } from './web-assembly.ts'

/** Before input and output: what is held of a frame, and the header that is written before a payload. */
const room = 2_048
/** Behind them: the four blocks that are the least that is encrypted. */
const slack = 512
/** At most so many bytes in one call. */
export const maxInput = 131_072

/** In whole packets, so that cutting a write makes no frame shorter than it has to be. */
const maxSealed = Math.floor(maxInput / maxPacketPayload) * maxPacketPayload

interface Exports {
  readonly memory: WasmMemory
  readonly STATE: WasmGlobal
  readonly STATE_LENGTH: WasmGlobal
  readonly RESULT: WasmGlobal
  readonly PADDING: WasmGlobal
  readonly KEYS: WasmGlobal
  heap(): number
  init(): void
  seal(type: number, payload: number, length: number, padding: number, target: number): number
  sealAll(payload: number, length: number, target: number): number
  expect(length: number): void
  open(source: number, length: number, target: number, each: number): number
}

/** Why open() stopped, as assembly/frames.ts numbers it. */
const stopAtPacket = 1
const stopAtLength = 2
const failures: readonly (FrameFailure | undefined)[] = [
  undefined,
  undefined,
  undefined,
  'altered',
  'no-header',
  'too-long',
  'used-up',
]

/** Undefined where this machine or this Node cannot run it. */
export function simdKernel(): FrameKernel | undefined {
  const bytes = Buffer.from(frameKernelBase64, 'base64')
  if (webAssembly?.validate(bytes) !== true) return undefined
  let memory: Memory
  try {
    const { exports } = new webAssembly.Instance(new webAssembly.Module(bytes))
    memory = new Memory(exports as Exports)
  } catch {
    // Its memory may be more than the process is allowed to reserve.
    return undefined
  }
  return {
    name: 'simd',
    sealing: (keys) => new SimdSealing(memory, keys),
    opening: (keys, randomInt) => new SimdOpening(memory, keys, randomInt),
  }
}

/** The module, and its memory as this side sees it. */
class Memory {
  readonly exports: Exports
  readonly bytes: Buffer
  readonly input: number
  readonly output: number
  readonly padding: number
  readonly #keys: number
  readonly #state: Buffer
  /** Bytes taken and given by the last open(), and type and length of its packet. */
  readonly result: Uint32Array

  constructor(exports: Exports) {
    const { buffer } = exports.memory
    this.exports = exports
    this.bytes = Buffer.from(buffer)
    this.input = (exports.heap() + room + 63) & ~63
    this.output = this.input + maxInput + slack + room
    this.padding = exports.PADDING.value
    this.#keys = exports.KEYS.value
    this.#state = Buffer.from(buffer, exports.STATE.value, exports.STATE_LENGTH.value)
    this.result = new Uint32Array(buffer, exports.RESULT.value, 4)
  }

  newState(keys: Uint8Array): Uint8Array {
    this.bytes.set(keys, this.#keys)
    this.exports.init()
    return this.takeState(new Uint8Array(this.#state.length))
  }

  putState(state: Uint8Array): void {
    this.#state.set(state)
  }

  takeState(state: Uint8Array): Uint8Array {
    state.set(this.#state)
    return state
  }

  copy(from: number, to: number): Buffer {
    return from === to ? nothing : Buffer.from(this.bytes.subarray(from, to))
  }
}

class SimdSealing implements Sealing {
  readonly #memory: Memory
  readonly #state: Uint8Array

  constructor(memory: Memory, keys: Uint8Array) {
    this.#memory = memory
    this.#state = memory.newState(keys)
  }

  frame(type: number, payload: Uint8Array, padding: number): Buffer {
    const { exports, bytes, input, output } = this.#memory
    bytes.set(payload, input)
    bytes.fill(0, input + payload.length, input + payload.length + padding)
    this.#memory.putState(this.#state)
    const length = exports.seal(type, input, payload.length, padding, output)
    if (length === 0) throw frameError('used-up')
    return this.#sealed(output, length)
  }

  burst(payload: Uint8Array, paddings: readonly number[]): Buffer {
    if (payload.length <= maxSealed) return this.#burst(payload, paddings)
    const parts: Buffer[] = []
    for (let at = 0; at < payload.length; at += maxSealed) {
      const end = at + maxSealed
      parts.push(this.#burst(payload.subarray(at, end), end >= payload.length ? paddings : []))
    }
    return Buffer.concat(parts)
  }

  #burst(payload: Uint8Array, paddings: readonly number[]): Buffer {
    const { exports, bytes, input, output, padding: zeros } = this.#memory
    bytes.set(payload, input)
    this.#memory.putState(this.#state)
    let length = exports.sealAll(input, payload.length, output)
    if (length !== framesLength(payload.length)) throw frameError('used-up')
    for (const padding of paddings) {
      const sealed = exports.seal(0, zeros, 0, padding, output + length)
      if (sealed === 0) throw frameError('used-up')
      length += sealed
    }
    return this.#sealed(output, length)
  }

  #sealed(output: number, length: number): Buffer {
    this.#memory.takeState(this.#state)
    return this.#memory.copy(output, output + length)
  }
}

class SimdOpening implements Opening {
  readonly #memory: Memory
  readonly #state: Uint8Array
  readonly #randomInt: (n: number) => number

  constructor(memory: Memory, keys: Uint8Array, randomInt: (n: number) => number) {
    this.#memory = memory
    this.#state = memory.newState(keys)
    this.#randomInt = randomInt
  }

  open(held: Uint8Array, chunk: Uint8Array, take: TakePacket, each: boolean): Opened {
    const { exports, bytes, input, output, result } = this.#memory
    let at = input - held.length
    bytes.set(held, at)
    bytes.set(chunk, input)
    const end = input + chunk.length
    let given = output
    this.#memory.putState(this.#state)
    for (;;) {
      const stop = exports.open(at, end - at, given, Number(each))
      at += result[0]!
      given += result[1]!
      if (stop === stopAtPacket) take(result[2]!, this.#memory.copy(given, given + result[3]!))
      else if (stop === stopAtLength) exports.expect(forgedBoxLength(this.#randomInt))
      else {
        this.#memory.takeState(this.#state)
        return { payload: this.#memory.copy(output, given), rest: this.#memory.copy(at, end), failure: failures[stop] }
      }
    }
  }
}
