/** Streams: exact reads, codecs as streams, relaying, bounded waits, listening. */
export type { Deadline } from './deadline.ts'
export { deadline, delay, orAborted, withDeadline } from './deadline.ts'
export type { Codec, PacedCodec } from './framed.ts'
export { framed } from './framed.ts'
export { listen } from './listen.ts'
export { readExactly, readSome, readUntil } from './read.ts'
export type { RelayCount } from './relay.ts'
export { relay } from './relay.ts'
