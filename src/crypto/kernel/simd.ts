/**
 * The kernel in WebAssembly (assembly/): a whole read or a whole write in one call, and nothing is allocated for a frame.
 *
 *     memory   … | room (2 KiB) | input (128 KiB) | slack | output | output | …
 *     output   room | what input comes to, and padding | slack
 *
 * The state of a direction, 96 bytes, is with its owner and visits the module for the length of a call: so there are no
 * places in its memory to be given out, to be given back, and to run out of. Of outputs there are a few: the one that is
 * written, over and over so that it stays in the processor's cache, and those that are held until the system has taken
 * what is in them. When no more than one is left, copies are given instead of views.
 */
import { frameKernelBase64 } from './binary.ts'
import type { FrameFailure, FrameKernel, KernelMemory, Opened, Opening, Sealing, TakePacket } from './kernel.ts'
import { forgedBoxLength, frameError, nothing } from './kernel.ts'
import { framesLength, maxFrameLength, maxPacketPayload } from './sizes.ts'
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

/** What input comes to, and the padding of a burst behind it. */
const outputLength = room + framesLength(maxInput) + 2 * maxFrameLength + slack
/** Four megabytes of what the system has not taken yet. */
const maxOutputs = 32

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
    memory,
    sealing: (keys) => new SimdSealing(memory, keys),
    opening: (keys, randomInt) => new SimdOpening(memory, keys, randomInt),
  }
}

/** The module, and its memory as this side sees it. */
class Memory implements KernelMemory {
  readonly exports: Exports
  readonly bytes: Buffer
  readonly inputAt: number
  readonly input: Buffer
  readonly padding: number
  readonly #keys: number
  readonly #state: Buffer
  /** Bytes taken and given by the last open(), and type and length of its packet. */
  readonly result: Uint32Array
  /** Where the next call may write. */
  output: number
  /** Other outputs that nobody holds; the last one was used last. */
  readonly #free: number[]
  /** What was given last is a view. */
  #lent = false

  constructor(exports: Exports) {
    const { buffer } = exports.memory
    this.exports = exports
    this.bytes = Buffer.from(buffer)
    this.inputAt = (exports.heap() + room + 63) & ~63
    // A read of its length is one burst.
    this.input = this.bytes.subarray(this.inputAt, this.inputAt + maxSealed)
    const first = this.inputAt + maxInput + slack + room
    this.#free = Array.from({ length: maxOutputs }, (_, at) => (first + at * outputLength + 63) & ~63).reverse()
    this.output = this.#free.pop()!
    this.padding = exports.PADDING.value
    this.#keys = exports.KEYS.value
    this.#state = Buffer.from(buffer, exports.STATE.value, exports.STATE_LENGTH.value)
    this.result = new Uint32Array(buffer, exports.RESULT.value, 4)
  }

  hold(): () => void {
    if (!this.#lent) return () => undefined
    const held = this.output
    this.output = this.#free.pop()!
    this.#lent = false
    return () => void this.#free.push(held)
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

  /** Puts `chunk` where input is read, unless it lies there. */
  putInput(chunk: Uint8Array): void {
    const isThere = chunk.buffer === this.bytes.buffer && chunk.byteOffset === this.inputAt
    if (!isThere) this.bytes.set(chunk, this.inputAt)
  }

  /** What the output holds up to `end`: a view, as long as another output is left that could take its place. */
  give(end: number): Buffer {
    this.#lent = this.#free.length > 0
    return this.#lent ? this.bytes.subarray(this.output, end) : this.copy(this.output, end)
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
    const { exports, bytes, inputAt, output } = this.#memory
    bytes.set(payload, inputAt)
    bytes.fill(0, inputAt + payload.length, inputAt + payload.length + padding)
    this.#memory.putState(this.#state)
    const length = exports.seal(type, inputAt, payload.length, padding, output)
    if (length === 0) throw frameError('used-up')
    this.#memory.takeState(this.#state)
    return this.#memory.copy(output, output + length)
  }

  burst(payload: Uint8Array, paddings: readonly number[]): Buffer {
    if (payload.length <= maxSealed) return this.#burst(payload, paddings)
    const parts: Buffer[] = []
    for (let at = 0; at < payload.length; at += maxSealed) {
      const end = at + maxSealed
      parts.push(Buffer.from(this.#burst(payload.subarray(at, end), end >= payload.length ? paddings : [])))
    }
    return Buffer.concat(parts)
  }

  #burst(payload: Uint8Array, paddings: readonly number[]): Buffer {
    const { exports, inputAt, output, padding: zeros } = this.#memory
    this.#memory.putInput(payload)
    this.#memory.putState(this.#state)
    let length = exports.sealAll(inputAt, payload.length, output)
    if (length !== framesLength(payload.length)) throw frameError('used-up')
    for (const padding of paddings) {
      const sealed = exports.seal(0, zeros, 0, padding, output + length)
      if (sealed === 0) throw frameError('used-up')
      length += sealed
    }
    this.#memory.takeState(this.#state)
    return this.#memory.give(output + length)
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
    const { exports, bytes, inputAt, output, result } = this.#memory
    let at = inputAt - held.length
    bytes.set(held, at)
    this.#memory.putInput(chunk)
    const end = inputAt + chunk.length
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
        return { payload: this.#memory.give(given), rest: this.#memory.copy(at, end), failure: failures[stop] }
      }
    }
  }
}
