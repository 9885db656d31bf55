/** The client of meek. */
import type { Client, ClientOptions } from '../../transport.ts'

export function meekClient(_options: ClientOptions): Client {
  throw new Error('meek has no client yet')
}
