/**
 * One connection after its handshake. Application bytes become bursts of frames, and frames become application bytes.
 *
 *     write of n bytes ── packets of up to 1427 ── frames ── padding ── one burst
 */
import type { Codec, DirectCodec, PacedCodec } from '../../io/carry/codec.ts'
import type { TakePacket } from './frames/kernel.ts'
import { framesLength } from './frames/sizes.ts'
import { drbgSeedLength } from '../../crypto/siphash-drbg.ts'
import { PtError } from '../../error.ts'
import type { IatMode } from './cert.ts'
import type { Machine } from './machine.ts'
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
  /** Gives the shape that this side's traffic has at this moment. */
  readonly shape: () => Shape
  /** Takes the seed that the peer has sent. Only a client wants one. */
  readonly onSeed?: (seed: Buffer) => void
  readonly machine: Machine
}

export function obfs4Codec(options: CodecOptions): Codec | PacedCodec {
  return options.iatMode === 0 ? new BurstCodec(options) : pacedCodec(options)
}

/** The codec of iat-mode 0, in which a write is a burst. */
class BurstCodec implements Codec {
  protected readonly options: CodecOptions
  protected readonly take: TakePacket

  constructor(options: CodecOptions) {
    this.options = options
    this.take = seedTaker(options)
  }

  get direct(): DirectCodec {
    return new DirectBurstCodec(this.options)
  }

  encode(payload: Uint8Array): Uint8Array {
    return this.options.sealer.burst(payload, padding(this.options, payload))
  }

  decode(chunk: Uint8Array): Iterable<Uint8Array> {
    return this.options.opener.payloads(chunk, this.take)
  }

  end(): void {
    end(this.options.opener)
  }
}

/** The direct form of that codec, which works in the kernel's memory. */
class DirectBurstCodec extends BurstCodec implements DirectCodec {
  get input(): Uint8Array {
    return this.options.machine.frameKernel().memory.input
  }

  override encode(payload: Uint8Array): Uint8Array {
    return this.options.sealer.burstView(payload, padding(this.options, payload))
  }

  override decode(chunk: Uint8Array): Iterable<Uint8Array> {
    return this.options.opener.payloadViews(chunk, this.take)
  }

  hold(): () => void {
    return this.options.machine.frameKernel().memory.hold?.() ?? nothingHeld
  }
}

function pacedCodec(options: CodecOptions): PacedCodec {
  const { sealer, opener, iatMode, shape, machine } = options
  const pause = pauses(machine)
  const take = seedTaker(options)
  const cut = (payload: Uint8Array): Iterable<Buffer> =>
    iatMode === 1
      ? framePieces(sealer.burst(payload, padding(options, payload)))
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
    decode: (chunk) => opener.payloads(chunk, take),
    end: () => end(opener),
  }
}

/** The padding that brings the burst of `payload` to a length of this side's shape. */
function padding({ shape }: CodecOptions, payload: Uint8Array): number[] {
  return burstPadding(framesLength(payload.length), shape().length())
}

/** Takes the seed out of its packet. Packets of other types mean nothing here. */
function seedTaker({ onSeed }: CodecOptions): TakePacket {
  return (type, payload) => {
    if (type === packetTypes.seed && payload.length === drbgSeedLength) onSeed?.(payload)
  }
}

function nothingHeld(): void {}

function end(opener: FrameOpener): void {
  if (opener.pending) throw new PtError('PT_CLOSED', 'the connection was closed in the middle of a frame')
}
