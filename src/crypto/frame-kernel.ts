/**
 * The choice between the kernels, made once in a process.
 */
import type { FrameKernel } from './kernel/kernel.ts'
import { plainKernel } from './kernel/plain.ts'
import { simdKernel } from './kernel/simd.ts'

let chosen: FrameKernel | undefined

/** The fastest kernel that this machine and this Node can run. */
export function frameKernel(): FrameKernel {
  return (chosen ??= simdKernel() ?? plainKernel)
}
