/** What most applications need: run a PT and connect through it. Every room has its own entry besides: postern/pt, postern/io … */
export type { DialStage, PtErrorCode, PtErrorOptions } from './error.ts'
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
