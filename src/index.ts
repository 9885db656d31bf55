/** What most applications need: run a PT and connect through it. Every room has its own entry besides: postern/pt, postern/io … */
import type {
  Bridge,
  BridgeConnection,
  BridgeLines,
  BridgeListener,
  BridgeServer,
  BridgeServerOptions,
  OpenBridgeOptions as AppOptions,
} from './app/index.ts'
import { PtError } from './error.ts'
import type { Profile } from './tls/profiles/profile.ts'
import {
  connectBridge as connectWith,
  createBridgeServer as createServerWith,
  openBridge as openWith,
} from './app/index.ts'
import { builtIns, builtInTransports } from './transports/index.ts'

export type { PtErrorCode, PtErrorOptions } from './error.ts'
export type { DialStage } from './failure.ts'
export { errorCodes, isPtError, PtError } from './error.ts'
export type { Address, ArgsInit, Destination, OutboundBind, ProxyUri } from './ipc/index.ts'
export { Args, formatAddress, parseAddress } from './ipc/index.ts'
export type {
  ClientMethod,
  ClientPt,
  ConnectOptions,
  Exit,
  ExitStatus,
  LaunchClientOptions,
  LaunchServerOptions,
  OnConnection,
  PtEvent,
  RestartOptions,
  ServerMethod,
  ServerPt,
  ServerTransportInit,
} from './parent/index.ts'
export { launchClient, launchServer } from './parent/index.ts'
export {
  bridgeDispatcher,
  bridgeLine,
  bridgeLineToJson,
  formatBridgeLine,
  httpAgent,
  httpsAgent,
  lintBridgeLine,
  ownPt,
  parseBridgeLine,
  readBridgeLines,
} from './app/index.ts'
export type {
  Bridge,
  BridgeConnection,
  BridgeDispatcherOptions,
  BridgeEvents,
  BridgeLine,
  BridgeLineInit,
  BridgeListener,
  BridgeServer,
  BridgeServerOptions,
  BridgeSocket,
  BridgeTlsOptions,
  BridgeUser,
  FetchDispatcher,
  Finding,
  SocketMethods,
} from './app/index.ts'

/** The options of openBridge and connectBridge: those of postern/app, and what the built-in transports can be told. */
export interface OpenBridgeOptions extends AppOptions {
  /**
   * The ClientHello that webtunnel and meek show, whatever a bridge line asks for: the profile of the user's own browser, such as
   * readProfile() of postern/tls gives it. With `exec` the program has to be told: `ownPt('--profile', file)`.
   */
  readonly profile?: Profile | undefined
}

/**
 * Opens a bridge, with the built-in transports in this process, or those of the program `exec`; postern/app says more. A line
 * with a fingerprint leads into Tor's network, and is for tor.
 */
export async function openBridge(lines: BridgeLines, options: OpenBridgeOptions = {}): Promise<Bridge> {
  return await openWith(lines, await withBuiltIns('openBridge', options))
}

/** One connection through a bridge; what the bridge takes is closed with it. */
export async function connectBridge(lines: BridgeLines, options: OpenBridgeOptions = {}): Promise<BridgeConnection> {
  return await connectWith(lines, await withBuiltIns('connectBridge', options))
}

/**
 * Starts a bridge server, with the built-in transports in this process, or those of the program `exec`, and gives its connections to
 * the listener; postern/app says more.
 */
export async function createBridgeServer(
  options: BridgeServerOptions,
  listener: BridgeListener,
): Promise<BridgeServer> {
  const isObject = typeof options === 'object' && options !== null
  return await createServerWith(isObject ? { implementations: builtIns, ...options } : options, listener)
}

/** What is no object is for the other function to refuse. */
async function withBuiltIns(call: string, options: OpenBridgeOptions): Promise<AppOptions> {
  if (typeof options !== 'object' || options === null) return options
  const { profile, ...rest } = options
  if (profile === undefined) return { transports: builtIns, ...rest }
  const other = (['exec', 'transports'] as const).find((name) => rest[name] !== undefined)
  const fault = other === undefined ? await faultOf(profile) : `is for the built-in transports, and there is ${other}`
  if (fault !== undefined) throw new PtError('PT_OPTION', `${call}: the option profile ${fault}`)
  return { ...rest, transports: builtInTransports({ profile }) }
}

/** The code for profiles is loaded only if there is one. */
async function faultOf(profile: unknown): Promise<string | undefined> {
  const { profileFault } = await import('./tls/profiles/check.ts')
  const fault = profileFault(profile)
  return fault === undefined ? undefined : `cannot be used: ${fault}`
}
