/** Bounded waits of a case, and exact transfers: what did not happen is said in words. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'

/** Rejects if `promise` has not settled after `ms`: `what` has not happened. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new assert.AssertionError({ message: `not within ${ms} ms: ${what}` })), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** What became of a promise. */
type Outcome<T> = { readonly value: T; readonly error?: undefined } | { readonly error: unknown }

export function outcome<T>(promise: Promise<T>): Promise<Outcome<T>> {
  return promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  )
}

/** The outcome of a promise that settles within `ms`, or undefined: there is nothing to wait for but time. */
export async function soon<T>(ms: number, promise: Promise<T>): Promise<Outcome<T> | undefined> {
  return await Promise.race([outcome(promise), pause(ms, undefined)])
}

/** Waits until `holds` does. Polled, as what is waited for says nothing by itself. */
export async function until(ms: number, what: string, holds: () => boolean): Promise<void> {
  for (const end = performance.now() + ms; !holds(); await pause(5)) {
    assert.ok(performance.now() < end, `not within ${ms} ms: ${what}`)
  }
}

/** Waits for the end of what `stream` gives, by its end, its close or an error; the bytes until then are thrown away. */
export async function gone(ms: number, what: string, stream: Duplex): Promise<void> {
  stream.on('error', () => {}).resume()
  await until(ms, what, () => stream.readableEnded || stream.destroyed)
}

/** Writes in chunks of changing size and waits if the stream says so; `end` then closes this direction. */
export async function send(
  stream: Duplex,
  payload: Buffer,
  end: boolean,
  taken: (size: number) => void = () => {},
): Promise<void> {
  for (let at = 0, size = 1; at < payload.length; size = (size * 7) % 65521) {
    const chunk = payload.subarray(at, at + size)
    at += chunk.length
    if (!stream.write(chunk)) await once(stream, 'drain')
    taken(chunk.length)
  }
  if (end) stream.end()
}

/** Reads what must be `payload`, and then the end of the stream if `end` says so. */
export async function receive(stream: Duplex, payload: Buffer, end: boolean): Promise<void> {
  let at = 0
  if (!end && payload.length === 0) return
  for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    const expected = payload.subarray(at, at + chunk.length)
    if (!expected.equals(chunk)) {
      const wrong = chunk.findIndex((byte, index) => byte !== expected[index])
      assert.fail(`byte ${at + wrong} of ${payload.length} is not what was sent`)
    }
    at += chunk.length
    if (!end && at === payload.length) return
  }
  assert.equal(at, payload.length, `the stream ended after ${at} of ${payload.length} bytes`)
}

/** So many random bytes one way each, at the same time and as soon as each side is there; with `end`, both ways closed. */
export async function exchange(
  near: Duplex | Promise<Duplex>,
  far: Duplex | Promise<Duplex>,
  size: number,
  end: boolean,
): Promise<void> {
  const [up, down] = [randomBytes(size), randomBytes(size)]
  const atClient = async (): Promise<unknown> => {
    const stream = await near
    return await Promise.all([send(stream, up, end), receive(stream, down, end)])
  }
  const atServer = async (): Promise<unknown> => {
    const stream = await far
    return await Promise.all([send(stream, down, end), receive(stream, up, end)])
  }
  await Promise.all([atClient(), atServer()])
}
