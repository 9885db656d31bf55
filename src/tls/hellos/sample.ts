/** A hello that a profile makes, for a host of a reserved name. */
import { ClientHello } from '../hello.ts'
import type { Profile } from '../profiles/profile.ts'
import type { Ticket } from '../tickets.ts'
import { Transcript } from '../transcript.ts'

/** RFC 2606, section 3. */
const NAME = 'bridge.example'

/** The message, without the header of a record. */
export async function sampleHello(profile: Profile, ticket?: Ticket): Promise<Buffer> {
  const hello = await ClientHello.make({ profile, servername: NAME, ticket })
  return hello.message(new Transcript())
}
