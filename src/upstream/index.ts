/** TOR_PT_PROXY and the outbound bind addresses as one function that opens connections. */
export type { UpstreamConnect, UpstreamOptions } from './connect.ts'
export { makeConnect } from './connect.ts'
