/** The messages of a handshake, as the key schedule hashes them (RFC 8446, section 4.4.1). */
import { hashOf } from './key-schedule.ts'
import type { Suite } from './suites.ts'
import { u8, uint } from './wire.ts'

/** The handshake type of what stands for the first hello after a HelloRetryRequest. */
const MESSAGE_HASH = 254

/** It keeps the messages, as the hash is known only after the first hello. They are a few thousand bytes for a second. */
export class Transcript {
  #messages: Buffer[] = []

  add(message: Buffer): void {
    this.#messages.push(message)
  }

  /** The hash of all messages so far, and of `more` after them. */
  hash(suite: Suite, ...more: readonly Buffer[]): Buffer {
    return hashOf(suite, ...this.#messages, ...more)
  }

  /** Puts the hash of all messages so far in their place: message_hash | 00 00 | length of the hash | hash. */
  collapse(suite: Suite): void {
    const hash = this.hash(suite)
    this.#messages = [Buffer.concat([u8(MESSAGE_HASH), uint(hash.length, 3), hash])]
  }
}
