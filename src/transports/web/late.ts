/**
 * The ends of a transport that are loaded when they are first used: TLS takes as long to load as all the rest of a PT, and a parent waits for
 * METHODS DONE.
 */
import type { Client, ClientSession } from '../../transport.ts'

/** A client whose code comes with its first dial. A load that failed is tried again by the next one. */
export function lateClient(load: () => Promise<Client>): Client {
  let loaded: Promise<Client> | undefined
  const client = (): Promise<Client> => {
    loaded ??= load().catch((error: unknown) => {
      loaded = undefined
      throw error
    })
    return loaded
  }
  return {
    dial: async (session: ClientSession) => await (await client()).dial(session),
    // What was never loaded has nothing to end.
    close: async () => await (await loaded?.catch(() => undefined))?.close?.(),
  }
}
