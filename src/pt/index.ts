/** The PT process: `runPt` is all that a program with transports needs. */
export type { PtOptions } from './main.ts'
export { runPt } from './main.ts'
export type { Implementation } from './negotiate.ts'
export type { LazyTransport, TransportEntry } from './registry.ts'
export { isTransport } from './registry.ts'
