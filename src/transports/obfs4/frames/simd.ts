/**
 * The kernel in WebAssembly (assembly/). One call takes a whole read or a whole write, and nothing is allocated for a frame.
 *
 *     memory   … | room (2 KiB) | input (128 KiB) | slack | output | output | …
 *     output   room | the frames or payloads of an input, and padding | slack
 *
 * The owner of a direction keeps its state, 96 bytes, and puts it into the module for the length of a call: so the module has no
 * places to give out, to take back, and to run out of. There are a few outputs: the current one is written over and over, so that
 * it stays in the processor's cache; others are held until the system has taken the bytes in them. When only one is left, the
 * kernel gives copies instead of views.
 */
import { frameKernelBase64 } from './binary.ts'
import type { FrameFailure, FrameKernel, KernelMemory, Opened, Opening, Sealing, TakePacket } from './kernel.ts'
import { forgedBoxLength, frameError, nothing } from './kernel.ts'
import { framesLength, maxFrameLength, maxPacketPayload } from './sizes.ts'
import type { WasmGlobal, WasmMemory } from '../../../crypto/web-assembly.ts'
import { webAssembly } from '../../../crypto/web-assembly.ts'

/** The space before input and output, for the beginning of a frame that is held, and for the header before a payload. */
const room = 2_048
/** The space after them: no fewer than four blocks are encrypted at a time. */
const slack = 512
/** The most bytes that one call takes. */
export const maxInput = 131_072

/** The most that is sealed in one call: complete packets, so that cutting a write makes no frame shorter than it has to be. */
const maxSealed = Math.floor(maxInput / maxPacketPayload) * maxPacketPayload

/** An output holds the frames of a whole input, and the padding of a burst after them. */
const outputLength = room + framesLength(maxInput) + 2 * maxFrameLength + slack
/** Together these hold four megabytes that the system has not taken yet. */
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

/** The reasons why open() stops, as assembly/frames.ts numbers them. */
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

/** Gives the kernel; undefined if this machine or this Node cannot run it. */
export function simdKernel(): FrameKernel | undefined {
  const bytes = Buffer.from(frameKernelBase64, 'base64')
  if (webAssembly?.validate(bytes) !== true) return undefined
  let memory: Memory
  try {
    const { exports } = new webAssembly.Instance(new webAssembly.Module(bytes))
    memory = new Memory(exports as Exports)
  } catch {
    // The process may not be allowed to reserve that much memory.
    return undefined
  }
  return {
    name: 'simd',
    memory,
    sealing: (keys) => new SimdSealing(memory, keys),
    opening: (keys, randomInt) => new SimdOpening(memory, keys, randomInt),
  }
}

/** The module and its memory, as JavaScript sees it. */
class Memory implements KernelMemory {
  readonly exports: Exports
  readonly bytes: Buffer
  readonly inputAt: number
  readonly input: Buffer
  readonly padding: number
  readonly #keys: number
  readonly #state: Buffer
  /** How many bytes the last open() took and gave, and the type and the length of its packet. */
  readonly result: Uint32Array
  /** The output that the next call may write to. */
  output: number
  /** The other outputs that are not held; the last one was used last. */
  readonly #free: number[]
  /** True if the last result was a view. */
  #lent = false

  constructor(exports: Exports) {
    const { buffer } = exports.memory
    this.exports = exports
    this.bytes = Buffer.from(buffer)
    this.inputAt = (exports.heap() + room + 63) & ~63
    // A read that fills it is one burst.
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

  /** Copies `chunk` to the module's input, unless it lies there already. */
  putInput(chunk: Uint8Array): void {
    const isThere = chunk.buffer === this.bytes.buffer && chunk.byteOffset === this.inputAt
    if (!isThere) this.bytes.set(chunk, this.inputAt)
  }

  /** Gives the output up to `end`: as a view, as long as another output is left that could take its place. */
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
