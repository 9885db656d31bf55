/** A fetch that is bound to its bridge; an entry of its own, as it loads undici. */
export type { BridgeFetch, BridgeRequestInit } from '../http/fetch.ts'
export { bridgeFetch } from '../http/fetch.ts'
export type { BridgeDispatcherOptions, BridgeTlsOptions } from '../http/dispatcher.ts'
