/**
 * obfs2: a key that is sent along, then AES in counter mode. An observer can decrypt everything: it is kept for the
 * bridges that still speak it, and for nothing else.
 *
 *     both at once   SEED(16) | E_pad( 2BF5CA7E | PADLEN(4) | random 0…8192 )
 *     then           E( application bytes …
 *
 *     MAC(s, x) = SHA-256(s | x | s): AES-128-CTR key = first 16 bytes, first counter block = last 16
 *     E_pad   MAC("Initiator obfuscation padding" or "Responder obfuscation padding", own SEED)
 *     E       MAC("Initiator obfuscated data" or "Responder obfuscated data", INITIATOR SEED | RESPONDER SEED)
 */
import { createHash, randomBytes, randomInt } from 'node:crypto'
import type { Duplex } from 'node:stream'
import type { CounterMode } from '../../crypto/counter-mode.ts'
import { counterMode } from '../../crypto/counter-mode.ts'
import { PtError } from '../../error.ts'
import type { Cancellation } from '../../io/wait/cancellation.ts'
import { readExactly } from '../../io/read.ts'
import type { Codec } from '../../io/carry/codec.ts'
import { withDirect } from '../../io/carry/codec.ts'
import type { Client, Server, Transport } from '../../transport.ts'
import type { Role } from '../handshake.ts'
import { cancellationOf, handshake, opposite } from '../handshake.ts'
import { obfs2Arguments, requireNoSharedSecret } from './arguments.ts'

const seedLength = 16
const magic = 0x2bf5ca7e
/** The seed, the magic and the length of the padding. */
const headLength = seedLength + 8
const maxPadding = 8192
const timeout = 30_000

/** Makes the first message of `role`. */
export function obfs2Hello(role: Role, seed: Uint8Array, padding: Uint8Array): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(magic, 0)
  head.writeUInt32BE(padding.length, 4)
  return Buffer.concat([seed, stream(`${role} obfuscation padding`, seed)(Buffer.concat([head, padding]))])
}

/** Reads the first 24 bytes of what `role` sent: its seed, and how many bytes of padding follow. Throws PT_HANDSHAKE. */
export function readObfs2Head(role: Role, bytes: Uint8Array): { seed: Uint8Array; padding: number } {
  const seed = bytes.subarray(0, seedLength)
  const head = stream(`${role} obfuscation padding`, seed)(bytes.subarray(seedLength, headLength))
  const padding = head.readUInt32BE(4)
  if (head.readUInt32BE(0) === magic && padding <= maxPadding) return { seed, padding }
  throw new PtError(
    'PT_HANDSHAKE',
    'the first bytes are not those of obfs2: most likely the peer speaks something else',
    {
      stage: 'mark',
    },
  )
}

/** Makes the codec of `role` for the time after the handshake. */
export function obfs2Codec(role: Role, initiatorSeed: Uint8Array, responderSeed: Uint8Array): Codec {
  const keyed = (from: Role): CounterMode => stream(`${from} obfuscated data`, initiatorSeed, responderSeed)
  const [encode, decrypt] = [keyed(role), keyed(opposite(role))]
  return withDirect({ encode, decode: (chunk) => [decrypt(chunk)] })
}

function stream(label: string, ...seeds: readonly Uint8Array[]): CounterMode {
  const hash = createHash('sha256').update(label)
  for (const seed of seeds) hash.update(seed)
  const key = hash.update(label).digest()
  return counterMode(key.subarray(0, 16), key.subarray(16))
}

async function exchange(role: Role, conn: Duplex, signal: Cancellation): Promise<Duplex> {
  const peer = role === 'Initiator' ? 'bridge' : 'client'
  return await handshake(
    conn,
    {
      timeout,
      signal,
      late: `the ${peer} sent no complete obfs2 handshake within ${timeout / 1000} s: most likely it does not speak obfs2`,
      closed: `the ${peer} closed the connection before its obfs2 handshake was complete: most likely it does not speak obfs2, or the connection was cut on the way`,
      mostPerRead: headLength,
    },
    async (signal) => {
      const own = randomBytes(seedLength)
      const hello = obfs2Hello(role, own, randomBytes(randomInt(maxPadding + 1)))
      // Two writes, as obfs4proxy does it: without Nagle's delay the seed is a segment of its own.
      conn.write(hello.subarray(0, seedLength))
      conn.write(hello.subarray(seedLength))
      const { seed, padding } = readObfs2Head(opposite(role), await readExactly(conn, headLength, signal))
      await readExactly(conn, padding, signal)
      return role === 'Initiator' ? obfs2Codec(role, own, seed) : obfs2Codec(role, seed, own)
    },
  )
}

const client: Client = {
  outlastsParent: true,
  async dial(session) {
    const { target, args, connect } = session
    const signal = cancellationOf(session)
    requireNoSharedSecret(args)
    return await exchange('Initiator', await connect(target, signal), signal)
  },
}

const server: Server = {
  accept: async (session) => await exchange('Responder', session.conn, cancellationOf(session)),
}

/** obfs2, client and server. It takes no arguments, refuses `shared-secret`, and keeps no state. */
export const obfs2: Transport = {
  name: 'obfs2',
  client: () => client,
  server({ args }) {
    requireNoSharedSecret(args)
    return server
  },
  checkArguments: obfs2Arguments.check,
  rehearsal: () => ({ client, server }),
}
