/**
 * The identity of a bridge, as its server holds it.
 */
import type { KeyObject } from 'node:crypto'
import { memoizeByBytes } from '../../crypto/memoize.ts'
import { GoRandom } from '../../crypto/go-random.ts'
import type { HmacKey } from '../../crypto/hmac.ts'
import { hmacKey } from '../../crypto/hmac.ts'
import { x25519PublicBytes } from '../../crypto/x25519.ts'
import type { BridgeIdentity } from './cert.ts'
import { maxCloseDelay } from './constants.ts'

export interface ServerIdentity extends BridgeIdentity {
  readonly privateKey: KeyObject
  readonly drbgSeed: Buffer
}

export function serverIdentity(nodeId: Buffer, privateKey: KeyObject, drbgSeed: Buffer): ServerIdentity {
  return { nodeId, privateKey, publicKey: x25519PublicBytes(privateKey), drbgSeed }
}

const macKey = memoizeByBytes(64, hmacKey)

/** The key of all marks and MACs: B | NODEID. It is in the cert; without the cert a hello cannot be told from noise. */
export function handshakeMacKey({ publicKey, nodeId }: BridgeIdentity): HmacKey {
  return macKey(Buffer.concat([publicKey, nodeId]))
}

/**
 * The seconds that this bridge adds before it closes a failed handshake: 0 to 59, the same for all connections and after each
 * restart, so that neither many probes nor many starts can average it away.
 */
export function closeDelay(drbgSeed: Uint8Array): number {
  return new GoRandom(drbgSeed).intn(maxCloseDelay)
}
