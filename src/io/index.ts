/**
 * Streams for authors of transports: exact reads for handshakes, codecs as streams, time limits, and the small things that a test
 * of a transport needs. The names of version 0.1 that are not among these are in deprecated.ts for one more version.
 */
export type { Cancellation } from './wait/cancellation.ts'
export { withDeadline } from './wait/deadline.ts'
export { readExactly, readMessage, readSome, readUntil } from './read.ts'
export { boundReads } from './tcp/handshake-reader.ts'
export type { ListenOptions } from './tcp/listen.ts'
export { listen } from './tcp/listen.ts'
export type { Datagrams } from './udp/datagrams.ts'
export type { Codec, DirectCodec, PacedCodec } from './carry/codec.ts'
export { withDirect } from './carry/codec.ts'
export { framed } from './carry/framed.ts'
export type { BeforeEnd, RelayCount, RelayOptions } from './carry/relay.ts'
export { relay } from './carry/relay.ts'
export * from './deprecated.ts'
