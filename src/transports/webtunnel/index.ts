/**
 * webtunnel: an HTTPS connection to an ordinary web server, which passes the requests for one secret path on to the bridge. After the
 * server's 101 every byte is the application's.
 *
 *     bridge line         webtunnel [2001:db8::1]:443 url=https://example.com/secret ver=0.0.7
 *     server options      url=https://example.com/secret
 */
import type { Profile } from '../../tls/profiles/profile.ts'
import type { Rehearsal, Transport } from '../../transport.ts'
import { lateClient, lateServer } from '../web/late.ts'
import { webtunnelArguments } from './arguments.ts'

/** webtunnel, client and server. The client shows the hello of `profile`, if there is one. */
export function webtunnelOf(profile?: Profile): Transport {
  return {
    name: 'webtunnel',
    client: ({ log }) => lateClient(async () => (await import('./client.ts')).webtunnelClient({ log, profile })),
    server: async (options) => (await import('./server.ts')).webtunnelServer(options),
    checkArguments: webtunnelArguments.check,
    rehearsal(role) {
      const loading = async (): Promise<Rehearsal> => await (await import('./rehearsal.ts')).rehearsalOf(role)
      let loaded: Promise<Rehearsal> | undefined
      const parts = (): Promise<Rehearsal> => (loaded ??= loading())
      return {
        client: lateClient(async () => (await parts()).client),
        server: lateServer(async () => (await parts()).server),
        args: { url: 'https://localhost/' },
      }
    },
  }
}

export const webtunnel: Transport = webtunnelOf()
