/** The client. */
import { PtError } from '../../error.ts'
import type { Client, ClientOptions } from '../../transport.ts'

export function webtunnelClient(_options: ClientOptions): Client {
  return { dial: () => Promise.reject(new PtError('PT_ARGS', 'webtunnel has no client here yet', { stage: 'argument' })) }
}
