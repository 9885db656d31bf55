/** The options of the compliance suite. */
import type { ArgsInit } from '../ipc/index.ts'
import type { Check, Checks } from '../options.ts'
import { aBoolean, aFunction, aString, expecting, listOf, milliseconds, optional, someArgs } from '../options.ts'
import type { Transport } from '../transport.ts'

/** The options of transportCases. */
export interface CaseOptions {
  /** The server's options, as in TOR_PT_SERVER_TRANSPORT_OPTIONS. Default none. */
  readonly serverOptions?: ArgsInit
  /** The arguments that clients say besides the ARGS of SMETHOD. Default none: the ARGS are enough. */
  readonly clientArgs?: ArgsInit
  /**
   * True if the wire can say that one direction has ended: then it is also tried that the other goes on, as with the option
   * `halfOpen` of the PT. By default one end ends both, as the PT has it.
   */
  readonly halfClose?: boolean
  /** True if the server sends nothing to a peer that does not speak the transport. Default false. */
  readonly silentToProbes?: boolean
  /**
   * True if a session goes on when its connection has broken. Then it is tried that it does, and that both ends give up when
   * no new connection can be made; that has to happen within `patience`. Default false.
   */
  readonly outlivesConnections?: boolean
  /**
   * The host that the server has to name as the client's address, if it names one itself. By default any address is right, as
   * long as it is one. With `front` this is how the front says it.
   */
  readonly userAddr?: string
  /**
   * Starts what stands in front of the server, which listens at the given `host:port`, and resolves with the `host:port` of
   * the front. The case of the client's address goes through it. It is the test's to stop.
   */
  readonly front?: (server: string) => Promise<string>
  /** Client arguments that dial() has to reject before it connects. */
  readonly badClientArgs?: readonly ArgsInit[]
  /** Options with which the server has to fail at launch. */
  readonly badServerOptions?: readonly ArgsInit[]
  /** How long a case waits for a single thing, in milliseconds. Default 5000. */
  readonly patience?: number
}

/** It goes by the shape, as a transport may come from another copy of this package. */
export const aTransport: Check = expecting('a transport, with name, client() and server()', (value) => {
  const { name, client, server } = (value ?? {}) as Partial<Transport>
  return typeof name === 'string' && typeof client === 'function' && typeof server === 'function'
})

export const caseChecks: Checks<CaseOptions> = {
  serverOptions: optional(someArgs),
  clientArgs: optional(someArgs),
  halfClose: optional(aBoolean),
  silentToProbes: optional(aBoolean),
  outlivesConnections: optional(aBoolean),
  userAddr: optional(aString),
  front: optional(aFunction),
  badClientArgs: optional(listOf(someArgs, 'arguments')),
  badServerOptions: optional(listOf(someArgs, 'options')),
  patience: optional(milliseconds(1)),
}

export type Settings = Required<Omit<CaseOptions, 'userAddr' | 'front'>> & Pick<CaseOptions, 'userAddr' | 'front'>

export function settingsOf(options: CaseOptions): Settings {
  return {
    serverOptions: [],
    clientArgs: [],
    halfClose: false,
    silentToProbes: false,
    outlivesConnections: false,
    badClientArgs: [],
    badServerOptions: [],
    patience: 5000,
    ...options,
  }
}
