/** What the options of mountWebtunnel have to be. The compiler wants a row for every option. */
import type { Check, Checks } from '../options.ts'
import { aFunction, aString, expecting, optional, someArgs } from '../options.ts'
import type { MountOptions } from './mount.ts'

export const aWebServer: Check = expecting('an http.Server or https.Server', (value) => {
  const { on, listenerCount } = (value ?? {}) as Record<string, unknown>
  return typeof on === 'function' && typeof listenerCount === 'function'
})

export const mountChecks: Checks<MountOptions> = {
  url: aString,
  onConnection: aFunction,
  path: optional(aString),
  trust: optional(aString),
  args: optional(someArgs),
}
