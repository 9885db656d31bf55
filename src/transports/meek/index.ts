/**
 * meek: a connection in HTTP requests, one after the other, to a web server or a CDN that passes them on.
 *
 *     client ── POST <bytes> ──▶ front ── POST <bytes> ──▶ server        X-Session-Id says which connection it is
 *            ◀── 200 <bytes> ───       ◀── 200 <bytes> ───
 *
 * The client has two names: meek_lite is what bridge lines say, and meek is the older name, which the server has too.
 */
import type { Profile } from '../../tls/profiles/profile.ts'
import type { Transport } from '../../transport.ts'
import { meekArguments, meekLiteArguments } from './arguments.ts'
import { meekClient } from './client.ts'
import { meekServer } from './server.ts'

/** The client, and the server. The client shows the hello of `profile`, if there is one. */
export function meekOf(profile?: Profile): Transport {
  return {
    name: 'meek',
    client: ({ log }) => meekClient({ log, profile }),
    server: (options) => meekServer(options),
    checkArguments: meekArguments.check,
  }
}

/** The client of meek under the name that bridge lines have for it. */
export function meekLiteOf(profile?: Profile): Transport {
  return {
    name: 'meek_lite',
    client: ({ log }) => meekClient({ log, profile }),
    server() {
      throw new Error('meek_lite is the name of a client only; the server is the one of meek')
    },
    checkArguments: meekLiteArguments.check,
  }
}

export const meek: Transport = meekOf()
export const meekLite: Transport = meekLiteOf()
