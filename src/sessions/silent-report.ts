import type { Report } from '../transport.ts'

/** The report of a session that the operator must not hear of, such as a rehearsal or a dial of the library. */
export const silentReport: Report = { log: () => undefined, status: () => undefined }
