/**
 * One connection after its handshake: application bytes to bursts of frames and back.
 *
 *     write of n bytes ── packets of up to 1427 ── frames ── padding ── one burst
 */
import type { Codec, PacedCodec } from '../../io/index.ts'
import { drbgSeedLength } from '../../crypto/siphash-drbg.ts'
import { PtError } from '../../error.ts'
import type { IatMode } from './cert.ts'
import { maxPacketPayload } from './constants.ts'
import type { Environment } from './environment.ts'
import type { FrameOpener, FrameSealer, Packet } from './frames.ts'
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
  const { sealer, iatMode, shape, environment } = options
  const reading = { decode: (chunk: Uint8Array) => decode(options, chunk), end: () => end(options.opener) }
  const padded = (payload: Uint8Array): Buffer => {
    const frames = sealPayload(sealer, payload)
    return Buffer.concat([...frames, ...sealPadding(sealer, lengthOf(frames), shape().length())])
  }
  if (iatMode === 0) return { encode: padded, ...reading }
  const pause = pauses(environment)
  const cut = (payload: Uint8Array): Iterable<Buffer> =>
    iatMode === 1
      ? framePieces(padded(payload))
      : randomPieces(
          Buffer.concat(sealPayload(sealer, payload)),
          () => shape().length(),
          (length, target) => Buffer.concat(sealPadding(sealer, length, target)),
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

/** The frames of one write, without padding. */
function sealPayload(sealer: FrameSealer, payload: Uint8Array): Buffer[] {
  const frames: Buffer[] = []
  for (let at = 0; at < payload.length; at += maxPacketPayload) {
    frames.push(sealer.seal(packetTypes.payload, payload.subarray(at, at + maxPacketPayload), 0))
  }
  return frames
}

function sealPadding(sealer: FrameSealer, length: number, target: number): Buffer[] {
  return burstPadding(length, target).map((padding) => sealer.seal(packetTypes.payload, nothing, padding))
}

function lengthOf(frames: readonly Buffer[]): number {
  return frames.reduce((length, frame) => length + frame.length, 0)
}

function* decode({ opener, onSeed }: CodecOptions, chunk: Uint8Array): Generator<Buffer, void, undefined> {
  for (const packet of opener.open(chunk)) {
    if (packet.type === packetTypes.payload) yield packet.payload
    else if (isSeed(packet)) onSeed?.(packet.payload)
  }
}

function end(opener: FrameOpener): void {
  if (opener.pending) throw new PtError('PT_CLOSED', 'the connection was closed in the middle of a frame')
}

/** Packets of other types are not ours to understand. */
function isSeed({ type, payload }: Packet): boolean {
  return type === packetTypes.seed && payload.length === drbgSeedLength
}
