/** The server of meek. */
import type { Server, ServerOptions } from '../../transport.ts'

export function meekServer(_options: ServerOptions): Server {
  throw new Error('meek has no server yet')
}
