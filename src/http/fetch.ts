/**
 * A fetch that is bound to its bridge: undici's own, with a dispatcher of its own, so that no option can be forgotten.
 *
 *     const fetch = bridgeFetch(bridge)
 *     const response = await fetch('https://example.com/')
 */
import type { BodyInit, HeadersInit, RequestInfo, RequestInit as UndiciRequestInit, Response } from 'undici'
import type * as undiciModule from 'undici'
import { PtError } from '../error.ts'
import type { Bridge } from '../bridges/bridge.ts'
import type { BridgeDispatcherOptions } from './dispatcher.ts'
import { checkDispatcherOptions, makeDispatcher } from './dispatcher.ts'
import { provenUndici, requireUndici } from './runtime.ts'

type Undici = typeof undiciModule

/** undici's RequestInit without a dispatcher. FormData and Headers may be the global ones. */
export interface BridgeRequestInit extends Omit<UndiciRequestInit, 'dispatcher' | 'body' | 'headers'> {
  readonly body?: BodyInit | FormData | null
  readonly headers?: HeadersInit | Headers
}

/** undici's fetch through one bridge. The Request may be undici's or the global one; the Response is undici's. */
export type BridgeFetch = (input: RequestInfo | Request, init?: BridgeRequestInit) => Promise<Response>

/**
 * A fetch all of whose connections, those of redirects as well, go through the bridge. The server behind the bridge answers,
 * whatever host the URL names: the host is sent along (Host, and SNI with https) and never looked up. `connect` of the
 * options has those of TLS, such as `ca`; the others are those of undici's Agent. Closing the bridge closes its connections.
 *
 * Throws PT_OPTION for options that say how to connect. Throws PT_RUNTIME under Bun; the fetch rejects with PT_RUNTIME
 * under every runtime in which undici is not known to do as told. Otherwise it rejects as fetch does, and the `cause` is the bridge's PtError.
 */
export function bridgeFetch(bridge: Bridge, options: BridgeDispatcherOptions = {}): BridgeFetch {
  checkDispatcherOptions('bridgeFetch', bridge, options)
  requireUndici()
  let dispatcher: ReturnType<typeof makeDispatcher> | undefined
  return async (input, given) => {
    const init: BridgeRequestInit & { dispatcher?: unknown } = given ?? {}
    if (init.dispatcher !== undefined) {
      throw new PtError('PT_OPTION', 'bridgeFetch: there is no option dispatcher: this fetch is bound to its bridge')
    }
    const undici = await provenUndici()
    dispatcher ??= makeDispatcher(undici, bridge, options)
    return await undici.fetch(ownRequest(input, undici), { ...ownInit(init, undici), dispatcher })
  }
}

/** undici takes a Request of the global class for text. */
function ownRequest(input: RequestInfo | Request, undici: Undici): RequestInfo {
  if (typeof input === 'string' || input instanceof URL || input instanceof undici.Request) return input
  if (typeof input?.url !== 'string') return input as RequestInfo
  const { url, method, headers, body, redirect, integrity, keepalive, signal } = input
  const init = { method, headers: [...headers], body, redirect, integrity, keepalive, signal, duplex: 'half' }
  return new undici.Request(url, init as unknown as UndiciRequestInit)
}

/** undici would send the FormData of the global class as the text "[object FormData]". */
function ownInit(init: BridgeRequestInit, undici: Undici): UndiciRequestInit {
  const { body } = init
  const global = (globalThis as { FormData?: typeof FormData }).FormData
  if (global === undefined || !(body instanceof global) || body instanceof undici.FormData)
    return init as UndiciRequestInit
  const form = new undici.FormData()
  for (const [name, value] of body as Iterable<[string, string | File]>) form.append(name, value)
  return { ...(init as UndiciRequestInit), body: form }
}
