/** A fetch that is bound to its bridge; an entry of its own, as it loads undici. */
export type { BridgeFetch, BridgeRequestInit } from '../app/fetch.ts'
export { bridgeFetch } from '../app/fetch.ts'
export type { BridgeDispatcherOptions, BridgeTlsOptions } from '../app/dispatcher.ts'
