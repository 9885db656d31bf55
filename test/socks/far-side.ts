/** The server's side of a SOCKS client under test, said in literal bytes. */
import type { Duplex } from 'node:stream'
import { duplexPair } from 'node:stream'
import { readExactly } from 'postern/io'
import type { SocksClientRequest } from 'postern/socks'
import { connectSocks } from 'postern/socks'
import { expect } from 'vitest'
import type { PtError } from '../../src/error.ts'
import { settle } from '../io/streams.ts'
import * as support from '../support.ts'

/** One turn: what the client must send, and what it is answered. In hexadecimal; blanks are for the reader. */
export type Turn = readonly [send: string, answer: string]

export function bytes(hex: string): Buffer {
  return Buffer.from(hex.replace(/\s/g, ''), 'hex')
}

export function ends(): { near: Duplex; far: Duplex } {
  const [near, far] = duplexPair()
  return { near, far }
}

/** Plays the server: takes exactly what each turn says, sees that the client then waits, and answers. */
export async function play(far: Duplex, turns: readonly Turn[], write = writeAtOnce): Promise<void> {
  for (const [send, answer] of turns) {
    const expected = bytes(send)
    expect((await readExactly(far, expected.length)).toString('hex')).toBe(expected.toString('hex'))
    await settle()
    expect(far.readableLength, 'bytes were sent before their turn').toBe(0)
    await write(far, bytes(answer))
  }
}

function writeAtOnce(far: Duplex, answer: Buffer): Promise<void> {
  far.write(answer)
  return Promise.resolve()
}

export async function writeByteByByte(far: Duplex, answer: Buffer): Promise<void> {
  for (const byte of answer) {
    far.write(Uint8Array.of(byte))
    await settle()
  }
}

/** How the negotiation fails; a connection that was given up is destroyed. */
export async function failureOf(near: Duplex, request: SocksClientRequest, signal?: AbortSignal): Promise<PtError> {
  const error = await support.failureOf(connectSocks(near, request, signal))
  expect(near.destroyed).toBe(true)
  return error
}
