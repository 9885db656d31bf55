/** What a PT takes out of its own texts; the patterns are those of every text that an operator reads. */
export { redact, scrubAddresses, shorten } from '../ipc/scrub.ts'
