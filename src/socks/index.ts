/** SOCKS 4, 4a and 5. */
export { replyFor } from './reply.ts'
export type { AcceptSocksOptions, SocksRequest, SocksVersion } from './server.ts'
export { acceptSocks } from './server.ts'
export type { SocksClientRequest } from './client.ts'
export { connectSocks } from './client.ts'
export { associateSocks, udpEnvelope } from './udp.ts'
