/** SOCKS 4, 4a and 5. */
export type { SocksClientRequest } from './client.ts'
export { connectSocks } from './client.ts'
