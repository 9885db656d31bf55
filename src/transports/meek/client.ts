/**
 * The client of meek.
 *
 *     dial() ── TCP, TLS ── POST without a body ── 200 ── stream ── POST … POST … until one of the two ends
 *                   └─ not there, or another answer: the next route of the bridge line, as a session of its own
 */
import { randomInt } from 'node:crypto'
import { stageOf, furthestStage } from '../../failure.ts'
import { PtError } from '../../error.ts'
import type { Profile } from '../../tls/profiles/profile.ts'
import type { Client, ClientOptions, ClientSession } from '../../transport.ts'
import { cancellationOf } from '../handshake.ts'
import type { FrontProfile } from '../web/utls.ts'
import { onlyHello, profileOf } from '../web/utls.ts'
import { Visits } from '../web/visits.ts'
import { MeekStream } from './polling/meek-stream.ts'
import { openRoute } from './polling/open-route.ts'
import { Poller } from './polling/poller.ts'
import { refusalOf } from './polling/refusal.ts'
import type { Route } from './routes.ts'
import { readRoutes } from './routes.ts'

/** How many routes of a bridge line are tried. */
const MOST_ROUTES = 10

/** What a client is made with. */
interface Making extends Pick<ClientOptions, 'log'> {
  /** The user's own, which is shown in place of what a bridge line asks for. */
  readonly profile?: Profile | undefined
}

export function meekClient({ log, profile: own }: Making): Client {
  const visits = new Visits()
  const streams = new Set<MeekStream>()
  let noticed = false
  return {
    async dial(session) {
      const { args } = session
      const asked = profileOf({ utls: args.get('utls'), profile: args.get('profile') }, 'page')
      const profile = own === undefined ? asked : onlyHello(own)
      if (profile.notice !== undefined && !noticed) log('notice', profile.notice)
      noticed ||= profile.notice !== undefined
      const stream = await begin(session, shuffled(readRoutes(args)), { profile, visits })
      streams.add(stream)
      return stream.once('close', () => streams.delete(stream))
    },
    close() {
      for (const stream of streams) stream.destroy(new PtError('PT_STOPPED', 'the client has been closed'))
    },
  }
}

interface Ways {
  readonly profile: FrontProfile
  readonly visits: Visits
}

/** Begins a session by the first route that leads to a server. Rejects with the error of the route that came furthest. */
async function begin(session: ClientSession, routes: readonly Route[], ways: Ways): Promise<MeekStream> {
  const signal = cancellationOf(session)
  const failures: unknown[] = []
  for (const route of routes.slice(0, MOST_ROUTES)) {
    signal.throwIfAborted()
    const others = routes.filter((one) => one !== route)
    // Each route is a session of its own, as an answer that was lost on the way may have held bytes.
    const poller = new Poller([route, ...others], session.connect, (route, session) =>
      openRoute(route, { session, ...ways }),
    )
    try {
      const answer = await poller.begin(signal)
      const refusal = refusalOf(answer, true)
      if (refusal !== undefined) throw refusal
      return new MeekStream(poller, answer)
    } catch (error) {
      poller.close()
      if (signal.aborted) throw error
      failures.push(error)
    }
  }
  throw furthest(failures)
}

function furthest(failures: readonly unknown[]): unknown {
  const stage = furthestStage(failures.map(stageOf).filter((one) => one !== undefined))
  return failures.find((error) => stageOf(error) === stage) ?? failures[0]
}

/** In random order, so that the clients of one bridge line spread over its routes. */
function shuffled<Item>(items: readonly Item[]): Item[] {
  const left = [...items]
  return items.map(() => left.splice(randomInt(left.length), 1)[0]!)
}
