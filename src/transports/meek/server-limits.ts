/** The limits of a meek server. Times are in milliseconds. */

/** The most bytes of a body, and of an answer: obfs4proxy and lyrebird send no more, and lose what an answer has beyond it. */
export const MOST_PAYLOAD = 65_536

export interface ServerLimits {
  /** The number of sessions; one more ends the session that has been without data for longest. */
  readonly mostSessions: number
  /** The bytes that all sessions hold together; more of them end sessions in the same order. */
  readonly mostBytes: number
  /** The number of ended sessions that are remembered, and for how long after their client has asked last. */
  readonly mostEnded: number
  readonly endedFor: number
  /** A client that asks for nothing for so long has gone. The longest pause of one that has not is 5 s. */
  readonly noRequestFor: number
  /** A session that carries nothing for so long is ended, although its client asks: lyrebird asks for ever. */
  readonly noDataFor: number
  /** How long an answer waits for bytes. A client sends nothing during that time. */
  readonly hold: number
  /** How long the answer to a body waits that has come through a front. */
  readonly frontPause: number
  /** The same after a body with bytes, unless it is full: the next one would wait for this answer. */
  readonly holdBody: number
  /** How many requests of a session wait for the one before them, and how long each waits for it and for room. */
  readonly mostWaiting: number
  readonly patience: number
  /** How long a connection may take for its first request, and how long it may be idle after an answer. */
  readonly firstRequest: number
  readonly idle: number
  /** How long a body may take to come, and an answer to be taken. */
  readonly transfer: number
  /** The number of requests of one connection that may be under way. */
  readonly mostOfConnection: number
}

export const serverLimits: ServerLimits = {
  mostSessions: 8_192,
  mostBytes: 128 * 1_024 * 1_024,
  mostEnded: 16_384,
  endedFor: 600_000,
  // The time of meek-server.
  noRequestFor: 120_000,
  noDataFor: 900_000,
  // The first pause of obfs4proxy and lyrebird is as long.
  hold: 100,
  // Caddy 2.6 closes its connection if an answer comes while it is still looking whether the body of an HTTP/1.1 client has ended.
  frontPause: 5,
  // The time of meek-server.
  holdBody: 10,
  mostWaiting: 2,
  // Fronts give up after 30 s or more.
  patience: 20_000,
  // nginx's client_header_timeout. The next time outlasts the pools of idle connections of nginx (60 s) and Caddy (120 s).
  firstRequest: 60_000,
  idle: 180_000,
  transfer: 120_000,
  mostOfConnection: 128,
}
