/** The language of parent and PT, pure and both ways: what one side writes, the other reads. */
export type { Address } from './address.ts'
export { formatAddress, isHostName, isLoopback, parseAddress, parseTarget } from './address.ts'
export type { ArgsInit, ArgumentFinding } from './args.ts'
export {
  Args,
  CLIENT_ARGS_LIMIT,
  formatClientArgs,
  formatFinding,
  formatSmethodArgs,
  formatTransportOptions,
  parseClientArgs,
  parseSmethodArgs,
  parseTransportOptions,
} from './args.ts'
export type { ClientConfiguration, ClientEnvironment, OutboundBind } from './client-environment.ts'
export {
  formatClientEnvironment,
  formatOutboundBind,
  readClientEnvironment,
  readOutboundBind,
  readProxy,
} from './client-environment.ts'
export { formatCString, parseCString } from './cstring.ts'
export type { CommonEnvironment, Environment } from './environment.ts'
export { envError, PREFIX, readRole, readVersion, withoutPtVariables } from './environment.ts'
export { formatKvLine, parseKvLine } from './kv-line.ts'
export { formatLine, isArgument, isKeyword, LINE_LIMIT, LineSplitter, toAscii } from './line.ts'
export type { Message, Severity, SocksProtocol } from './message.ts'
export { formatMessage, implementationOf, parseMessage, severities, transportStatus, versionStatus } from './message.ts'
export { formatNames, isTransportName, nearestName, parseNames, requireTransportName } from './name.ts'
export type { ProxyProtocol, ProxyUri } from './proxy-uri.ts'
export { formatProxyUri, parseProxyUri } from './proxy-uri.ts'
export { secretsOf } from './secrets.ts'
export { redact, scrubAddresses, scrubForeign, shorten } from './scrub.ts'
export type { Destination, ServerConfiguration, ServerEnvironment, ServerTransport } from './server-environment.ts'
export { DEFAULT_BIND_ADDRESS, formatServerEnvironment, readServerEnvironment } from './server-environment.ts'
export { formatVersions, isVersion, negotiateVersion, VERSION } from './version.ts'
