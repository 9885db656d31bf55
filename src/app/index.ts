/** What applications use: bridge lines, bridges to connect through, agents, servers, tunnels. */
export { httpAgent, httpsAgent } from './agents.ts'
export type { BridgeDispatcherOptions, BridgeTlsOptions, FetchDispatcher } from './dispatcher.ts'
export { bridgeDispatcher } from './dispatcher.ts'
export type { AllowList, OwnNetworks } from './allow-list.ts'
export { parseAllowList } from './allow-list.ts'
export type {
  Bridge,
  BridgeConnectOptions,
  BridgeEvents,
  BridgeLines,
  OpenBridgeOptions,
  OpenDialer,
} from './bridge.ts'
export { connectBridge, openBridge, openDialer, toBridgeLines } from './bridge.ts'
export type { BridgeLine, BridgeLineInit } from './bridge-line.ts'
export { bridgeLine, bridgeLineToJson, formatBridgeLine, parseBridgeLine } from './bridge-line.ts'
export type { Finding } from './bridge-lint.ts'
export { lintBridgeLine, lintBridgeLines } from './bridge-lint.ts'
export { readBridgeLines } from './pasted/lines.ts'
export type { BridgeListener, BridgeServer, BridgeServerOptions, BridgeUser } from './bridge-server.ts'
export { createBridgeServer, PLACEHOLDER } from './bridge-server.ts'
export type { Strategy } from './candidates.ts'
export type { Dialer, DialerOptions, TransportSource } from './dialer.ts'
export type { BridgeConnection, SocketMethods } from './socket-like.ts'
export type { BridgeSocket } from './bridge-socket.ts'
export { ownPt } from './own-pt.ts'
export { parseNamedProxy } from './proxy-door.ts'
export { SharedDialers } from './shared-dialers.ts'
export type { TunnelState, TunnelStats } from './connections.ts'
export type { Forward } from './forward.ts'
export type { TunnelEvents } from './tunnel.ts'
export { Tunnel } from './tunnel.ts'
export type { TunnelClientOptions } from './tunnel-client.ts'
export { startTunnelClient, TunnelClient } from './tunnel-client.ts'
export type { TunnelServerOptions } from './tunnel-server.ts'
export { startTunnelServer, TunnelServer } from './tunnel-server.ts'
export type { BridgeTest, BridgeTestOptions } from './bridge-test.ts'
export { testBridge } from './bridge-test.ts'
