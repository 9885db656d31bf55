/** What most applications need: run a PT and connect through it. Every room has its own entry besides: postern/pt, postern/io … */
import type {
  Bridge,
  BridgeConnection,
  BridgeLines,
  BridgeListener,
  BridgeServer,
  BridgeServerOptions,
  OpenBridgeOptions,
} from './app/index.ts'
import {
  connectBridge as connectWith,
  createBridgeServer as createServerWith,
  openBridge as openWith,
} from './app/index.ts'
import { builtIns } from './transports/index.ts'

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
  OpenBridgeOptions,
  SocketMethods,
} from './app/index.ts'

/**
 * Opens a bridge, with the built-in transports in this process, or those of the program `exec`; postern/app says more. A line
 * with a fingerprint leads into Tor's network, and is for tor.
 */
export async function openBridge(lines: BridgeLines, options: OpenBridgeOptions = {}): Promise<Bridge> {
  return await openWith(lines, withBuiltIns(options))
}

/** One connection through a bridge; what the bridge takes is closed with it. */
export async function connectBridge(lines: BridgeLines, options: OpenBridgeOptions = {}): Promise<BridgeConnection> {
  return await connectWith(lines, withBuiltIns(options))
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
function withBuiltIns(options: OpenBridgeOptions): OpenBridgeOptions {
  return typeof options === 'object' && options !== null ? { transports: builtIns, ...options } : options
}
