/** What a transport's author may say to the compliance suite. */
import type { ArgsInit } from '../ipc/index.ts'
import type { Check, Checks } from '../options.ts'
import { aBoolean, expecting, listOf, milliseconds, optional, someArgs } from '../options.ts'
import type { Transport } from '../transport.ts'

export interface CaseOptions {
  /** The server's options, as of TOR_PT_SERVER_TRANSPORT_OPTIONS. Default none. */
  readonly serverOptions?: ArgsInit
  /** What clients say beside the ARGS of SMETHOD. Default nothing: the ARGS are enough. */
  readonly clientArgs?: ArgsInit
  /**
   * True if the wire can say that one direction has ended: then it is also tried that the other goes on, as with the option
   * `halfOpen` of the PT. By default one end ends both, as the PT has it.
   */
  readonly halfClose?: boolean
  /** True where the server sends nothing to who does not speak the transport. Default false. */
  readonly silentToProbes?: boolean
  /** Client arguments that dial() has to reject before it connects. */
  readonly badClientArgs?: readonly ArgsInit[]
  /** Options with which the server has to fail at launch. */
  readonly badServerOptions?: readonly ArgsInit[]
  /** How long a case waits for a single thing, in milliseconds. Default 5000. */
  readonly patience?: number
}

/** By shape: a transport may be of another copy of this package. */
export const aTransport: Check = expecting('a transport, with name, client() and server()', (value) => {
  const { name, client, server } = (value ?? {}) as Partial<Transport>
  return typeof name === 'string' && typeof client === 'function' && typeof server === 'function'
})

export const caseChecks: Checks<CaseOptions> = {
  serverOptions: optional(someArgs),
  clientArgs: optional(someArgs),
  halfClose: optional(aBoolean),
  silentToProbes: optional(aBoolean),
  badClientArgs: optional(listOf(someArgs, 'arguments')),
  badServerOptions: optional(listOf(someArgs, 'options')),
  patience: optional(milliseconds(1)),
}

export type Settings = Required<CaseOptions>

export function settingsOf(options: CaseOptions): Settings {
  return {
    serverOptions: [],
    clientArgs: [],
    halfClose: false,
    silentToProbes: false,
    badClientArgs: [],
    badServerOptions: [],
    patience: 5000,
    ...options,
  }
}
