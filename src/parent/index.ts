/** The parent: launches PTs, reads what they say, keeps them running, connects through them, and ends them. */
export type { Expected, Heard, Method } from './dialogue.ts'
export { Dialogue } from './dialogue.ts'
export type { Exit, OnEvent, PtEvent } from './events.ts'
export type { LaunchOptions, Managed } from './managed.ts'
export type { ProcessTraces } from './process-error.ts'
export { PtProcessError } from './process-error.ts'
export type { ExitStatus } from './stop.ts'
export type { RestartOptions } from './supervise.ts'
