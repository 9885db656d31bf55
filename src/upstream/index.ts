/** TOR_PT_PROXY and the outbound bind addresses as two functions: one opens connections, and the other flows of datagrams. */
export type { UpstreamConnect, UpstreamOptions } from './connect.ts'
export { makeConnect } from './connect.ts'
export type { DatagramOptions, UpstreamDatagrams } from './datagrams.ts'
export { makeDatagrams } from './datagrams.ts'
