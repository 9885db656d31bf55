/** Vectors of the transports, computed with obfs4proxy 0.0.14's own code ('reference') or by what interoperates with it. */
import { readFileSync } from 'node:fs'

interface TableVector {
  readonly seed: string
  readonly min: number
  readonly max: number
  readonly biased: boolean
  readonly values: number[]
  readonly weights: number[]
  readonly prob: number[]
  readonly alias: number[]
}

type HandshakeField =
  | 'server_b'
  | 'node_id'
  | 'cert'
  | 'epoch_hour'
  | 'client_sk'
  | 'client_tweak'
  | 'client_pub'
  | 'client_repr'
  | 'client_pad'
  | 'client_hello'
  | 'server_sk'
  | 'server_tweak'
  | 'server_pub'
  | 'server_repr'
  | 'server_pad'
  | 'server_hello'
  | 'key_seed'
  | 'auth'
  | 'okm144'
  | 'server_frame1_prngseed_00to17'
  | 'server_frame2_payload_world'
  | 'client_frame1_payload_hello'
  | 'client_frame2_payload_again_pad10'

/** The sections that obfs4 uses; bytes are hex. */
interface TransportVectors {
  readonly drbg: readonly {
    readonly seed: string
    readonly blocks: readonly string[]
    readonly block301: string
    readonly rand_sequence: readonly (readonly ['intn' | 'float64', number | null, number])[]
    readonly iat_seed: string
  }[]
  readonly elligator2_keygen: readonly {
    readonly sk: string
    readonly tweak?: string
    readonly ok: boolean
    readonly pub?: string
    readonly repr?: string
  }[]
  readonly elligator2_map: readonly { readonly repr: string; readonly pub: string }[]
  readonly ntor: Readonly<
    Record<'x' | 'X' | 'y' | 'Y' | 'b' | 'B' | 'node_id' | 'key_seed' | 'auth' | 'okm144', string>
  >
  readonly frames: readonly { readonly payload: string; readonly frame: string }[]
  readonly weighted_dist: readonly TableVector[]
  readonly full_handshake_derived: Readonly<Record<HandshakeField, string>>
  readonly fixed_close_delay: readonly { readonly drbg_seed: string; readonly intn60: number }[]
}

export const transportVectors: TransportVectors = JSON.parse(
  readFileSync(new URL('vectors/transport-vectors.json', import.meta.url), 'utf8'),
) as TransportVectors

export function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex')
}
