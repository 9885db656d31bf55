/** Connects to a front: HTTP/2 if the front has chosen that by ALPN, else HTTP/1.1. */
import { silenceErrors } from '../../../io/ends.ts'
import type { FrontSession } from '../../web/dial-front.ts'
import { dialFront } from '../../web/dial-front.ts'
import type { FrontProfile } from '../../web/utls.ts'
import type { Visits } from '../../web/visits.ts'
import type { Route } from '../routes.ts'
import type { FrontConnection } from './front-connection.ts'
import { Http1Connection } from './http1.ts'
import { openHttp2 } from './http2.ts'

export interface RouteOptions {
  readonly session: FrontSession
  readonly profile: FrontProfile
  readonly visits: Visits
}

export async function openRoute(route: Route, { session, profile, visits }: RouteOptions): Promise<FrontConnection> {
  const { secure, target, servername, authority, path } = route
  // Tickets are kept for each front. One of a front that two servers share must not say that it is the same client.
  const visit = visits.of(JSON.stringify([target, authority]))
  const tls = secure ? { servername, form: 'page' as const, profile, visit } : undefined
  const { stream, alpn, browser } = await dialFront({ session, target, tls })
  silenceErrors(stream)
  if (alpn !== 'h2') return new Http1Connection(stream, { authority, path })
  try {
    return await openHttp2(stream, { authority, path }, browser)
  } catch (error) {
    stream.destroy()
    throw error
  }
}
