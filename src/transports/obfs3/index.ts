/**
 * obfs3: UniformDH, then AES in counter mode. It hides what a connection carries from an observer who only reads; a prober
 * that connects to a bridge can find out that it is one, as there is no secret between client and bridge.
 *
 *     both at once   PUB(192) | random 0…4097
 *     before the     random 0…4097 | magic(32) | E( application bytes …
 *     first write
 *
 *     I = HMAC(secret, "Initiator obfuscated data")      R = HMAC(secret, "Responder obfuscated data")
 *     AES-128-CTR key = first 16 bytes, first counter block = last 16; I encrypts what the client sends
 *     magic = HMAC(secret, "Initiator magic") or HMAC(secret, "Responder magic")
 *
 * A side that has nothing to say never sends its magic, so neither side waits for it before it reports success.
 */
import { randomInt } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { counterMode } from '../../crypto/counter-mode.ts'
import type { HmacKey } from '../../crypto/hmac.ts'
import { hmac, hmacKey } from '../../crypto/hmac.ts'
import { randomPiece } from '../../crypto/random.ts'
import { uniformDh, uniformDhLength } from '../../crypto/uniform-dh.ts'
import { PtError } from '../../error.ts'
import type { Cancellation } from '../../io/wait/cancellation.ts'
import { readExactly } from '../../io/read.ts'
import type { Codec } from '../../io/carry/codec.ts'
import { withDirect } from '../../io/carry/codec.ts'
import type { Client, Server, Transport } from '../../transport.ts'
import type { Role } from '../handshake.ts'
import { cancellationOf, handshake, opposite } from '../handshake.ts'
import { obfs3Arguments } from './arguments.ts'

const magicLength = 32
/** Both paddings of one side together. */
const maxPadding = 8194
const timeout = 30_000

const randomPadding = (): Buffer => randomPiece(randomInt(maxPadding / 2 + 1))

/** Makes the codec of `role` for the time after the key exchange. `padding` goes in front of the magic. */
export function obfs3Codec(role: Role, secret: HmacKey | Uint8Array, padding: Uint8Array = randomPadding()): Codec {
  const peer = opposite(role)
  const [encode, decrypt] = [stream(role, secret), stream(peer, secret)]
  const magic = hmac(secret, `${peer} magic`)
  const preface = Buffer.concat([padding, hmac(secret, `${role} magic`)])
  /** What arrived while the magic is still awaited. */
  let held: Buffer | undefined = Buffer.alloc(0)
  const decode = (chunk: Uint8Array): Uint8Array[] => {
    if (held === undefined) return [decrypt(chunk)]
    const searched = Math.max(0, held.length - magicLength + 1)
    held = Buffer.concat([held, chunk])
    const end = findMagic(held, magic, searched)
    if (end === undefined) return []
    const surplus = held.subarray(end)
    held = undefined
    return [decrypt(surplus)]
  }
  // obfs4proxy reads as many bytes at a time while it awaits the magic.
  const mostDecoded = (): number | undefined => (held === undefined ? undefined : maxPadding + magicLength)
  return withDirect({ preface: () => preface, encode, decode }, mostDecoded)
}

/** Returns the index at which the application's bytes begin, if the magic has arrived. Throws PT_HANDSHAKE once it can no longer come. */
function findMagic(held: Buffer, magic: Buffer, from: number): number | undefined {
  const at = held.subarray(0, maxPadding + magicLength).indexOf(magic, from)
  if (at !== -1) return at + magicLength
  if (held.length < maxPadding + magicLength) return undefined
  throw new PtError(
    'PT_HANDSHAKE',
    `${maxPadding} bytes of padding and still no obfs3 magic: most likely the peer speaks something else`,
    { stage: 'mark' },
  )
}

function stream(role: Role, secret: HmacKey | Uint8Array): (bytes: Uint8Array) => Buffer {
  const key = hmac(secret, `${role} obfuscated data`)
  return counterMode(key.subarray(0, 16), key.subarray(16))
}

async function exchange(role: Role, conn: Duplex, signal: Cancellation): Promise<Duplex> {
  const peer = role === 'Initiator' ? 'bridge' : 'client'
  return await handshake(
    conn,
    {
      timeout,
      signal,
      late: `the ${peer} sent no obfs3 key within ${timeout / 1000} s: most likely it does not speak obfs3`,
      closed: `the ${peer} closed the connection before its obfs3 key was complete: most likely it does not speak obfs3, or the connection was cut on the way`,
      mostPerRead: uniformDhLength,
    },
    async (signal) => {
      const pair = uniformDh()
      conn.write(Buffer.concat([pair.publicKey, randomPadding()]))
      const secret = pair.secret(await readExactly(conn, uniformDhLength, signal))
      return obfs3Codec(role, hmacKey(secret))
    },
  )
}

const client: Client = {
  outlastsParent: true,
  async dial(session) {
    const signal = cancellationOf(session)
    return await exchange('Initiator', await session.connect(session.target, signal), signal)
  },
}

const server: Server = {
  accept: async (session) => await exchange('Responder', session.conn, cancellationOf(session)),
}

/** obfs3, client and server. It takes no arguments and keeps no state. */
export const obfs3: Transport = {
  name: 'obfs3',
  client: () => client,
  server: () => server,
  checkArguments: obfs3Arguments.check,
  rehearsal: () => ({ client, server }),
}
