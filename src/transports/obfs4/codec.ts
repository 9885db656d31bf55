/**
 * One connection after its handshake: application bytes to bursts of frames and back.
 *
 *     write of n bytes ── packets of up to 1427 ── frames ── padding ── one burst
 */
import type { Codec, DirectCodec, PacedCodec } from '../../io/index.ts'
import type { TakePacket } from '../../crypto/kernel/kernel.ts'
import { framesLength } from '../../crypto/kernel/sizes.ts'
import { drbgSeedLength } from '../../crypto/siphash-drbg.ts'
import { PtError } from '../../error.ts'
import type { IatMode } from './cert.ts'
import type { Environment } from './environment.ts'
import type { FrameOpener, FrameSealer } from './frames.ts'
import { packetTypes } from './frames.ts'
import { framePieces, pauses, randomPieces } from './iat.ts'
import { burstPadding } from './padding.ts'
import type { Shape } from './shape.ts'

const nothing = Buffer.alloc(0)

export interface CodecOptions {
  readonly sealer: FrameSealer
  readonly opener: FrameOpener
  readonly iatMode: IatMode
  /** The shape of what this side sends, at this moment. */
  readonly shape: () => Shape
  /** Takes the seed that the peer has sent; only a client wants one. */
  readonly onSeed?: (seed: Buffer) => void
  readonly environment: Environment
}

export function obfs4Codec(options: CodecOptions): Codec | PacedCodec {
  const { sealer, opener, iatMode, shape, environment } = options
  const take = takeSeed(options)
  const reading = { decode: (chunk: Uint8Array) => opener.payloads(chunk, take), end: () => end(opener) }
  const padding = (payload: Uint8Array): number[] => burstPadding(framesLength(payload.length), shape().length())
  const padded = (payload: Uint8Array): Buffer => sealer.burst(payload, padding(payload))
  if (iatMode === 0) {
    const { memory } = environment.frameKernel()
    const direct: DirectCodec = {
      input: memory.input,
      encode: (payload) => sealer.burstView(payload, padding(payload)),
      decode: (chunk) => opener.payloadViews(chunk, take),
      end: reading.end,
      ...(memory.hold && { hold: () => memory.hold!() }),
    }
    return { encode: padded, ...reading, direct }
  }
  const pause = pauses(environment)
  const cut = (payload: Uint8Array): Iterable<Buffer> =>
    iatMode === 1
      ? framePieces(padded(payload))
      : randomPieces(
          sealer.burst(payload, []),
          () => shape().length(),
          (length, target) => sealer.burst(nothing, burstPadding(length, target)),
        )
  return {
    async send(payload, write) {
      for (const piece of cut(payload)) {
        await write(piece)
        await pause(shape())
      }
    },
    ...reading,
  }
}

function takeSeed({ onSeed }: CodecOptions): TakePacket {
  // Packets of other types are not ours to understand.
  return (type, payload) => {
    if (type === packetTypes.seed && payload.length === drbgSeedLength) onSeed?.(payload)
  }
}

function end(opener: FrameOpener): void {
  if (opener.pending) throw new PtError('PT_CLOSED', 'the connection was closed in the middle of a frame')
}
