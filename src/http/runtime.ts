/**
 * Whether this runtime keeps a request on its way through the bridge. What is not known to do so is refused before anything
 * is sent: a fetch that drops its `dispatcher` goes out directly, with a look-up of the host, and without any sign of it.
 *
 *     Bun         puts a stub of its own into the place of undici, and its fetch knows no dispatcher
 *     Deno        its own fetch knows none; undici's does
 *     jsdom, a browser's renderer        their fetch is that of a page
 */
import type * as undiciModule from 'undici'
import { PtError } from '../error.ts'

type Undici = typeof undiciModule

/** What both undici's fetch and Node's own are, as far as the trial goes. */
type AnyFetch = (url: string, options: object) => Promise<unknown>

const surroundings = globalThis as {
  readonly fetch?: unknown
  readonly window?: unknown
  readonly document?: unknown
  readonly process?: { readonly versions?: Readonly<Record<string, string | undefined>>; readonly type?: string }
}

/** Throws PT_RUNTIME under a runtime that is known to send requests directly, whatever they are given. */
export function requireUndici(): void {
  if (!runs('bun')) return
  throw refusal('Bun puts a stub of its own into the place of undici, and would send the request directly')
}

/** Loads undici. Rejects with PT_RUNTIME unless its fetch does as its dispatcher says, which is tried out once. */
export async function provenUndici(): Promise<Undici> {
  proven ??= proveUndici()
  return await proven
}

let proven: Promise<Undici> | undefined

async function proveUndici(): Promise<Undici> {
  requireUndici()
  let undici: Undici
  try {
    undici = await import('undici')
  } catch (cause) {
    throw refusal('undici cannot be loaded', cause)
  }
  const whole = [undici.fetch, undici.Agent, undici.buildConnector].every((part) => typeof part === 'function')
  if (whole && (await heeds(undici.fetch, undici))) return undici
  throw refusal('what it loads as undici does not do as its dispatcher says')
}

/** Rejects with PT_RUNTIME unless the global fetch is Node's and does as the dispatcher says that it is given. */
export async function requireNodeFetch(undici: Undici): Promise<void> {
  const { fetch, window, document } = surroundings
  const other = runs('deno')
    ? "Deno's"
    : surroundings.process?.type === 'renderer' || (window !== undefined && document !== undefined)
      ? "a page's"
      : undefined
  if (other !== undefined) throw refusal(`the global fetch is ${other}, and drops the dispatcher`)
  if (typeof fetch === 'function' && (await heeds(fetch as AnyFetch, undici))) return
  throw refusal("the global fetch is not Node's, and does not do as its dispatcher says")
}

/**
 * Nothing listens at this address of this machine, most likely; a fetch that goes there in spite of its dispatcher has
 * shown itself. No name is looked up for it.
 */
const TRIAL = 'http://127.0.0.1:65535/'

/** True if a fetch fails because of a dispatcher that refuses every connection. */
async function heeds(fetch: AnyFetch, { Agent }: Undici): Promise<boolean> {
  const refused = new Error('a trial')
  const dispatcher = new Agent({ connect: (_target, made) => made(refused, null) })
  if (typeof dispatcher.dispatch !== 'function') return false
  try {
    await fetch(TRIAL, { dispatcher, signal: AbortSignal.timeout(5_000) })
    return false
  } catch (error) {
    return error === refused || (error as Error | undefined)?.cause === refused
  } finally {
    await dispatcher.destroy()
  }
}

function runs(name: 'bun' | 'deno'): boolean {
  return surroundings.process?.versions?.[name] !== undefined
}

function refusal(why: string, cause?: unknown): PtError {
  const instead =
    'postern/fetch has bridgeFetch, for Node and Deno; httpAgent and httpsAgent of node:http work everywhere'
  return new PtError('PT_RUNTIME', `nothing was sent: ${why}; ${instead}`, { cause })
}
