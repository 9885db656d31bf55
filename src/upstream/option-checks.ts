/** What the options of makeConnect have to be. The compiler wants a row for every option. */
import type { Checks } from '../options.ts'
import { anObject, aString, milliseconds, optional, tableOf } from '../options.ts'
import type { UpstreamOptions } from './connect.ts'

export const upstreamChecks: Checks<UpstreamOptions> = {
  proxy: optional(anObject),
  outboundBind: optional(tableOf({ v4: optional(aString), v6: optional(aString) })),
  connectTimeout: optional(milliseconds(1)),
}
