/**
 * The ends of a transport that are loaded when they are first used: TLS takes as long to load as all the rest of a PT, and a parent waits for
 * METHODS DONE.
 */
import type { Client, Server } from '../../transport.ts'

/** A client whose code comes with its first dial. A load that failed is tried again by the next one. */
export function lateClient(load: () => Promise<Client>): Client {
  const client = once(load)
  return {
    dial: async (session) => await (await client.get()).dial(session),
    close: async () => await (await client.loaded())?.close?.(),
  }
}

/** A server whose code comes with its first connection. */
export function lateServer(load: () => Promise<Server>): Server {
  const server = once(load)
  return {
    accept: async (session) => await (await server.get()).accept(session),
    close: async () => await (await server.loaded())?.close?.(),
  }
}

interface Once<T> {
  readonly get: () => Promise<T>
  /** What has been loaded, if anything has. */
  readonly loaded: () => Promise<T | undefined>
}

function once<T>(load: () => Promise<T>): Once<T> {
  let loading: Promise<T> | undefined
  return {
    get: () => {
      loading ??= load().catch((error: unknown) => {
        loading = undefined
        throw error
      })
      return loading
    },
    loaded: async () => await loading?.catch(() => undefined),
  }
}
