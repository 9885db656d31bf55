/**
 * A kernel that tells what a processor's caches and branch predictor see of it: the module is compiled with a call at each access to
 * memory and at each place where its code divides. memory.copy and memory.fill are not seen; their operands are no secret anywhere.
 */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { root } from '../support.ts'

interface TracingWebAssembly {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object, imports: object) => { readonly exports: object }
}

/** How many calls there were, and a hash of them and their order. */
export interface Trace {
  readonly calls: number
  readonly hash: number
}

export interface TracedKernel<Exports> {
  readonly exports: Exports
  readonly memory: Buffer
  readonly traceOf: (run: () => void) => Trace
  /** What the kernel calls; for a test of this. */
  readonly note: (value: number) => void
  readonly access: (id: number, bytes: number, offset: number, address: number) => number
}

/** `entry`: of a module in assembly/. */
export function tracedKernel<Exports extends { readonly memory: { readonly buffer: ArrayBuffer } }>(
  entry: string,
): TracedKernel<Exports> {
  const { Module, Instance } = (globalThis as unknown as { WebAssembly: TracingWebAssembly }).WebAssembly
  const args = [join(root, 'scripts/kernel.mjs'), '--traced', entry]
  const text = execFileSync(process.execPath, args, { encoding: 'utf8' })
  const trace = { calls: 0, hash: 0 }
  const note = (value: number): void => {
    trace.calls++
    trace.hash = (Math.imul(trace.hash, 0x01000193) ^ value) | 0
  }
  const access = (id: number, _bytes: number, offset: number, address: number): number => {
    note(id)
    note(offset + address)
    return address
  }
  /** Of a value that is read or written, nothing is noted. */
  const pass = (_id: number, value: number | bigint): number | bigint => value
  const env = {
    log_execution: note,
    load_ptr: access,
    store_ptr: access,
    ...Object.fromEntries(
      ['i32', 'i64', 'f32', 'f64'].flatMap((type) =>
        [`load_val_${type}`, `store_val_${type}`].map((name) => [name, pass]),
      ),
    ),
    memory_grow_pre: pass,
    memory_grow_post: pass,
  }
  const exports = new Instance(new Module(Buffer.from(text, 'base64')), { env }).exports as Exports
  const traceOf = (run: () => void): Trace => {
    trace.calls = 0
    trace.hash = 0
    run()
    return { ...trace }
  }
  return { exports, memory: Buffer.from(exports.memory.buffer), traceOf, note, access }
}
