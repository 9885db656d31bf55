/**
 * Names that `postern/io` had in version 0.1 and will not have in version 0.3. They belong to the inside of this package, and do
 * what they did; CHANGELOG.md says what to use instead of each.
 */
import type { RelayOptions } from './carry/relay.ts'
import { silenceErrors } from './ends.ts'
import { boundReads, startHandshakeReads } from './tcp/handshake-reader.ts'

/** @deprecated Use `on('error')` of the stream. */
export const hearErrors: typeof silenceErrors = silenceErrors
/** @deprecated The PT has called it for each connection that a transport is given. */
export const leanReads: typeof startHandshakeReads = startHandshakeReads
/** @deprecated Use boundReads(). */
export const spareReads: typeof boundReads = boundReads
/** @deprecated Use RelayOptions. */
export type SpliceOptions = Pick<RelayOptions, 'halfOpen'>

export type {
  /** @deprecated It is internal. */
  AcceptGate,
} from './tcp/accept-gate.ts'
export {
  /** @deprecated It is internal. */
  acceptGate,
} from './tcp/accept-gate.ts'
export {
  /** @deprecated Use an AbortController. */
  Canceller,
} from './wait/cancellation.ts'
export {
  /** @deprecated Use resetAndDestroy() of the socket. */
  closeWithReset,
} from './tcp/close.ts'
export type {
  /** @deprecated Use withDeadline(). */
  ClosingLimit,
  /** @deprecated Use withDeadline(). */
  Deadline,
} from './wait/deadline.ts'
export {
  /** @deprecated Use withDeadline(). */
  closeAfter,
  /** @deprecated Use withDeadline(). */
  deadline,
  /** @deprecated Use setTimeout() of node:timers/promises. */
  delay,
  /** @deprecated Use a signal that the promise itself heeds. */
  orAborted,
} from './wait/deadline.ts'
export type {
  /** @deprecated It is internal. */
  EndWatcher,
} from './ends.ts'
export {
  /** @deprecated Use finished() of node:stream. */
  unwatchEnds,
  /** @deprecated Use finished() of node:stream. */
  watchEnds,
} from './ends.ts'
export {
  /** @deprecated The PT calls it for each stream that a transport gives it. */
  endTogether,
} from './carry/framed.ts'
export {
  /** @deprecated Use the options `keepAlive` and `keepAliveInitialDelay` of Node. */
  keepAliveOptions,
} from './tcp/keep-alive.ts'
export type {
  /** @deprecated It is internal. */
  Guest,
  /** @deprecated It is internal. */
  LobbyOptions,
} from './tcp/lobby.ts'
export {
  /** @deprecated It is internal. */
  Lobby,
} from './tcp/lobby.ts'
export {
  /** @deprecated Use `autoSelectFamily` of net.connect(), or the `connect` that a transport is given. */
  firstOf,
} from './wait/race.ts'
export {
  /** @deprecated Use Buffer.concat(). */
  appended,
} from './read.ts'
export {
  /** @deprecated Use Atomics.wait(). */
  sleepSync,
} from './wait/sleep.ts'
export {
  /** @deprecated Use relay(). */
  splice,
} from './carry/splice.ts'
export type {
  /** @deprecated Use net.Socket or Duplex. */
  TcpConn,
} from './tcp/channel.ts'
export type {
  /** @deprecated It is internal. */
  TcpAttempt,
  /** @deprecated It is internal. */
  TcpTarget,
} from './tcp/tcp.ts'
export {
  /** @deprecated Use `on('connection')` of net.Server. */
  acceptTcp,
  /** @deprecated Use the options of net.createServer(). */
  listenerOptions,
  /** @deprecated Use net.connect(), or the `connect` that a transport is given. */
  openTcp,
} from './tcp/tcp.ts'
