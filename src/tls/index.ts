/** A TLS 1.3 client whose ClientHello is a browser's. */
export type { ConnectTlsOptions, ProfileName } from './connect.ts'
export { connectTls, profiles } from './connect.ts'
export { chainHash } from './certificates/pin.ts'
export type { Code, CodeOrGrease, EchGrease, EchPayload, Profile, ProfileExtension } from './profiles/profile.ts'
export { TicketStore } from './tickets.ts'
export type { TlsConnection } from './tls-connection.ts'
