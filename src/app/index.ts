/** What applications use: bridge lines, bridges to connect through, agents, servers, tunnels. */
export { httpAgent, httpsAgent } from '../http/agents.ts'
export type { BridgeDispatcherOptions, BridgeTlsOptions, FetchDispatcher } from '../http/dispatcher.ts'
export { bridgeDispatcher } from '../http/dispatcher.ts'
export type { OwnNetworks } from '../addresses/own-networks.ts'
export type { AllowList } from '../tunnels/allow-list.ts'
export { parseAllowList } from '../tunnels/allow-list.ts'
export type {
  Bridge,
  BridgeConnectOptions,
  BridgeEvents,
  BridgeLines,
  OpenBridgeOptions,
  OpenDialer,
} from '../bridges/bridge.ts'
export { connectBridge, openBridge, openDialer, toBridgeLines } from '../bridges/bridge.ts'
export type { BridgeLine, BridgeLineInit } from '../lines/bridge-line.ts'
export { bridgeLine, bridgeLineToJson, formatBridgeLine, parseBridgeLine } from '../lines/bridge-line.ts'
export type { Finding } from '../lines/lint.ts'
export { lintBridgeLine, lintBridgeLines } from '../lines/lint.ts'
export { readBridgeLines } from '../lines/pasted/lines.ts'
export type { BridgeListener, BridgeServer, BridgeServerOptions, BridgeUser } from '../bridges/server.ts'
export { createBridgeServer } from '../bridges/server.ts'
export { PLACEHOLDER } from '../bridges/server-line.ts'
export type { Strategy } from '../bridges/candidates.ts'
export type { Dialer, DialerOptions, TransportSource } from '../bridges/dialer.ts'
export type { BridgeConnection, SocketMethods } from '../bridges/socket-like.ts'
export type { BridgeSocket } from '../bridges/socket.ts'
export { ownPt } from '../bridges/own-pt.ts'
export { parseNamedProxy } from '../bridges/proxy-door.ts'
export { SharedDialers } from '../bridges/shared-dialers.ts'
export type { TunnelState, TunnelStats } from '../tunnels/tunnel-connections.ts'
export type { Forward } from '../tunnels/forward.ts'
export type { TunnelEvents } from '../tunnels/tunnel.ts'
export { Tunnel } from '../tunnels/tunnel.ts'
export type { TunnelClientOptions } from '../tunnels/client.ts'
export { startTunnelClient, TunnelClient } from '../tunnels/client.ts'
export type { TunnelServerOptions } from '../tunnels/server.ts'
export { startTunnelServer, TunnelServer } from '../tunnels/server.ts'
export type { BridgeTest, BridgeTestOptions } from '../bridges/bridge-test.ts'
export { testBridge } from '../bridges/bridge-test.ts'
