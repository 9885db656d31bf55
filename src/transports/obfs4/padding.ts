/**
 * How bursts get their lengths: frames without payload after the frames with it.
 */
import { maxFrameLength, maxPacketPayload, packetOverhead } from './constants.ts'

/**
 * The paddings of the empty packets that bring a burst of `length` bytes to `target` modulo 1448, for a target of 0 to 1448.
 * If fewer bytes are missing than an empty packet has, the reference adds a full frame and one more packet than it takes,
 * and ends 21 bytes after its target; so do we, as bridges are to look alike.
 */
export function burstPadding(length: number, target: number): number[] {
  const tail = length % maxFrameLength
  const missing = target >= tail ? target - tail : maxFrameLength - tail + target
  if (missing === 0) return []
  if (missing > packetOverhead) return [missing - packetOverhead]
  return [maxPacketPayload, missing]
}
