/** The server. */
import { PtError } from '../../error.ts'
import type { Server, ServerOptions } from '../../transport.ts'

/** Throws, as there is no server yet. */
export function webtunnelServer(_options: ServerOptions): Server {
  throw new PtError('PT_ARGS', 'webtunnel has no server here yet', { stage: 'argument' })
}
