/** Answers to a hello as no honest bridge gives them. */
import { answerHello, helloReader } from '../../../src/transports/obfs4/handshake-server.ts'
import { helloMac } from '../../../src/transports/obfs4/handshake.ts'
import { handshakeMacKey } from '../../../src/transports/obfs4/server-identity.ts'
import { identity, serverPair, vectorHour } from './support.ts'

export interface Forgery {
  /** Signs for an hour that is so much later. */
  readonly hour?: number
  /** Flips a bit of the padding. */
  readonly flip?: number
  /** Replaces AUTH, and signs it all the same. */
  readonly auth?: boolean
}

/** The answer to a `hello` of the hour `now`. Its client is to have the cert of the tests. */
export function forge(hello: Buffer, { hour = 0, flip = 0, auth = false }: Forgery, now = vectorHour): Buffer {
  const progress = helloReader({ identity, hour: () => now })(hello)
  if (progress.state !== 'done') throw new Error('not a hello')
  const answered = answerHello({
    identity,
    pair: serverPair,
    hello: { ...progress.hello, hour: now + hour },
    padding: Buffer.alloc(10),
  })
  const bytes = answered!.bytes
  bytes.writeUInt8(bytes.readUInt8(70) ^ flip, 70)
  if (!auth) return bytes
  const signed = bytes.subarray(0, -16).fill(1, 32, 64)
  return Buffer.concat([signed, helloMac(handshakeMacKey(identity), signed, now)])
}
