/**
 * scramblesuit: a shared secret keeps probes out, packets of shaped lengths hide what is carried. Few bridges speak it; if
 * there is a choice, obfs4 is the better one.
 *
 *     client options      password=<32 characters of base32>
 *     server options      password=…, or none: it is made once and kept
 *     SMETHOD             ARGS:password=…
 */
import type { Transport } from '../../transport.ts'
import { scramblesuitArguments } from './arguments.ts'
import { scramblesuitClient, scramblesuitRehearsalClient } from './client.ts'
import { newPassword } from './password.ts'
import { scramblesuitRehearsalServer, scramblesuitServer } from './server.ts'

/** scramblesuit, client and server. */
export const scramblesuit: Transport = {
  name: 'scramblesuit',
  client: (options) => scramblesuitClient(options),
  server: (options) => scramblesuitServer(options),
  checkArguments: scramblesuitArguments.check,
  rehearsal() {
    const password = newPassword()
    const server = scramblesuitRehearsalServer(password)
    return { client: scramblesuitRehearsalClient(), server, args: { password } }
  },
}
