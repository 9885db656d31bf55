/** undici's Agent, each of whose connections is one through a bridge. What the URL names is never looked up. */
import type { Duplex } from 'node:stream'
import type { ConnectionOptions } from 'node:tls'
import type { Agent, Dispatcher, buildConnector } from 'undici'
import type * as undiciModule from 'undici'
import { PtError } from '../error.ts'
import { anObject, checkArgument, expecting, optional } from '../options.ts'
import type { Bridge } from '../bridges/bridge.ts'
import { aBridge } from '../bridges/option-checks.ts'
import { provenUndici, requireNodeFetch, requireUndici } from './runtime.ts'

type BuildOptions = buildConnector.BuildOptions

/** Options that would lead around the bridge, or that mean nothing to it. */
type NotOfAgents = 'connect' | 'factory' | 'interceptors' | 'socketPath' | 'tls'

/** The options of TLS with the server behind the bridge: `ca`, `cert` and `key`, `rejectUnauthorized`, `servername` … of tls.connect. */
export type BridgeTlsOptions = Omit<
  ConnectionOptions,
  'socket' | 'host' | 'port' | 'path' | 'lookup' | 'allowHalfOpen' | 'ALPNProtocols' | 'timeout'
>

/** The options of undici's Agent, except those that say how a connection is made. */
export interface BridgeDispatcherOptions extends Omit<Agent.Options, NotOfAgents> {
  readonly connect?: BridgeTlsOptions | undefined
}

type DispatcherOf<T> = T extends { dispatcher?: infer D } ? NonNullable<D> : Dispatcher

/** What `fetch(url, { dispatcher })` takes; it is undici's Dispatcher if the types of fetch are the DOM's, which have no dispatcher. */
export type FetchDispatcher = DispatcherOf<RequestInit>

/**
 * Makes what Node's fetch takes as `dispatcher`, and so does everything else of undici. A fetch that drops its dispatcher goes out
 * directly, so this rejects with PT_RUNTIME unless the global fetch is Node's; bridgeFetch of postern/fetch cannot be
 * forgotten and works in Deno as well. Loads undici when it is called. Call its close() before the bridge's, or just close
 * the bridge. Rejects with PT_OPTION for options that say how to connect.
 */
export async function bridgeDispatcher(
  bridge: Bridge,
  options: BridgeDispatcherOptions = {},
): Promise<FetchDispatcher> {
  checkDispatcherOptions('bridgeDispatcher', bridge, options)
  requireUndici()
  const undici = await provenUndici()
  await requireNodeFetch(undici)
  // The types of the fetch of @types/node and of undici are two copies of the same.
  return makeDispatcher(undici, bridge, options) as unknown as FetchDispatcher
}

/** Throws PT_OPTION for what is no bridge, and for options that would lead around it. undici checks its own. */
export function checkDispatcherOptions(call: string, bridge: unknown, options: unknown): void {
  checkArgument(call, 'bridge', bridge, aBridge)
  checkArgument(call, 'options', options, anObject)
  const given = options as Record<string, unknown>
  checkArgument(call, 'the option connect', given['connect'], optional(tlsOptions))
  refuse(call, '', given, ['factory', 'interceptors', 'socketPath', 'tls'])
  refuse(call, 'connect.', given['connect'] ?? {}, [
    'socket',
    'host',
    'port',
    'path',
    'socketPath',
    'lookup',
    'localAddress',
  ])
}

const tlsOptions = expecting('an object of TLS options, such as { ca }', (value) => anObject(value, '') === undefined)

function refuse(call: string, path: string, given: object, names: readonly string[]): void {
  const name = names.find((name) => (given as Record<string, unknown>)[name] !== undefined)
  if (name === undefined) return
  throw new PtError('PT_OPTION', `${call}: there is no option ${path}${name}: the bridge makes the connections`)
}

/** Makes the Agent. The caller has checked the options, and that this undici is undici. */
export function makeDispatcher(
  { Agent, buildConnector }: typeof undiciModule,
  bridge: Bridge,
  { connect: tls = {}, ...options }: BridgeDispatcherOptions,
): Dispatcher {
  const { allowH2, connectTimeout: timeout } = options
  const encrypt = buildConnector({ ...tls, allowH2, timeout } as BuildOptions)
  return new Agent({
    ...options,
    connect: (target, made) => {
      bridge.connect().then(
        (conn) => {
          const socket = conn as Parameters<typeof made>[1] & Duplex
          if (target.protocol === 'https:') encrypt({ ...target, httpSocket: socket }, made)
          else made(null, socket)
        },
        (error: unknown) => made(error as Error, null),
      )
    },
  })
}
