/**
 * What connects to bridges: a PT in a process of its own, or a built-in transport in this one. Both sorts look alike.
 */
import type { Duplex } from 'node:stream'
import { PtError } from '../error.ts'
import type { RestartOptions } from '../parent/index.ts'
import type { Transport } from '../transport.ts'
import type { BridgeLine } from '../lines/bridge-line.ts'

/** A transport, or its name and a function that loads it when it is used. */
export type TransportSource = Transport | { readonly name: string; load(): Promise<Transport> }

/** Loads the transport `name`. Rejects with PT_LAUNCH if it is not among `sources`. */
export async function loadSource(name: string, sources: readonly TransportSource[]): Promise<Transport> {
  const source = sources.find((candidate) => candidate.name === name)
  if (source === undefined) {
    const names = sources.map((transport) => transport.name).join(', ') || 'none'
    const hint = `built-in are: ${names}; for others, exec names a program that has them`
    throw new PtError('PT_LAUNCH', `there is no built-in transport ${name}; ${hint}`, { stage: 'argument' })
  }
  return 'load' in source ? await source.load() : source
}

/** The options of a bridge that say how its connections are made. */
export interface DialerOptions {
  /** The program of a PT, or the program and its arguments. Without it the transport runs in this process. */
  readonly exec?: string | readonly string[] | undefined
  /** The transports for use in this process. */
  readonly transports?: readonly TransportSource[] | undefined
  /** `all`, the default: each transport of the lines has to be there. `any`: one is enough, and lines of others are passed over. */
  readonly require?: 'all' | 'any' | undefined
  /** The folder for what transports keep. By default one that is made if a transport keeps something, and removed at the end. */
  readonly stateDir?: string | undefined
  /**
   * An upstream proxy, `socks5://[user:password@]host:port`, `socks4a://…` or `http://…`; never gone around. A host name is
   * looked up at each connection.
   */
  readonly proxy?: string | undefined
  /** Milliseconds for one connection to one bridge, the wait for a restart included. Default 60,000. */
  readonly connectTimeout?: number | undefined
  /** Values that no error may repeat of what a PT says. openBridge adds the addresses and arguments of its lines. */
  readonly secrets?: readonly string[] | undefined
  /**
   * The end of one direction leaves the other open, if the bridge's server allows it as well (`postern pt --half-open`, and no
   * other PT that we know). By default the first end of either side closes the connection both ways, as with obfs4proxy. With
   * `exec` it is the PT that decides: give it `--half-open` if it is ours.
   */
  readonly halfOpen?: boolean | undefined
  /**
   * In this process: an observer sees what a PT shows. A dial that is given up goes on to its own time limit, if its transport wants
   * that, and handshakes are rehearsed at the start, so that the first one is as quick as later ones. Default false: what is given up
   * is closed at once, and nothing is rehearsed.
   */
  readonly likePt?: boolean | undefined
  /** How a PT that has ended is started again. By default for ever, at most 10 s later. */
  readonly restart?: RestartOptions | false | undefined
}

export interface DialerEvents {
  /** The PT has ended, and is started again. */
  restart(error: PtError): void
  /** It runs again. */
  ready(): void
  /** It has ended, and is not started again. */
  gaveUp(error: PtError): void
}

/**
 * The part of a bridge that makes its connections: a PT in a process of its own, or built-in transports in this
 * process.
 */
export interface Dialer {
  /** Transports that were asked for and are not there, and why. Only a dialer with `require: 'any'` has any. */
  readonly failures?: ReadonlyMap<string, string> | undefined
  /** Dials a bridge. Rejects with a PtError whose `stage` says how far the dial came, if that can be known, or with the signal's reason. */
  dial(line: BridgeLine, signal?: AbortSignal): Promise<Duplex>
  /** True if the transport runs in this process, and its streams are its own. */
  readonly inProcess: boolean
  /** Rejects with PT_EXITED if `conn` ended because its PT did, which the end of a stream alone does not tell. */
  requireAlive(conn: Duplex): Promise<void>
  /** Tells `events` what happens, until the returned function is called. */
  watch(events: DialerEvents): () => void
  close(): Promise<void>
}
