/** What comes back for one request, in the same form from HTTP/1.1 and HTTP/2. */
import { promisify } from 'node:util'
import { PtError } from '../../../error.ts'

export interface Answer {
  readonly status: number
  /** The bytes for the application, if the status is 200. */
  readonly body: readonly Buffer[]
  /** True if the body calls itself a page for people: the sender is no server of meek. */
  readonly isPage: boolean
  /** True if the application of the server has ended, and all of its bytes have been answered. */
  readonly isEnd: boolean
}

/**
 * How our server says that its application has ended: the head of an answer of so many bytes, and then none of them. obfs4proxy and
 * lyrebird end a session that is answered so; they would repeat the request after another status. No other answer is as long.
 */
const END_LENGTH = 65_537

/** What an answer comes to of which only the head has arrived; undefined if that is just broken. */
export function endOf(status: number, length: string | undefined, { chunks }: Body): Answer | undefined {
  const isEnd = status === 200 && length === String(END_LENGTH) && chunks.length === 0
  return isEnd ? { status, body: [], isPage: false, isEnd } : undefined
}

/** Servers send 65,536 bytes at most, since obfs4proxy and lyrebird lose what is above that. A server of another kind may send more. */
const MOST_BYTES = 1_048_576

/** A body that grows. It throws PT_LIMIT beyond MOST_BYTES. */
export class Body {
  readonly chunks: Buffer[] = []
  #length = 0

  add(chunk: Buffer): void {
    this.#length += chunk.length
    if (this.#length > MOST_BYTES) throw tooLong()
    if (chunk.length > 0) this.chunks.push(chunk)
  }
}

/** Makes the answer of a body that is complete. `encoding` and `type` are the fields Content-Encoding and Content-Type. */
export async function answerOf(
  status: number,
  { chunks }: Body,
  encoding: string | undefined,
  type: string | undefined,
): Promise<Answer> {
  // What stands in other answers is not for the application.
  const body = status === 200 ? await decoded(chunks, (encoding ?? '').trim().toLowerCase()) : []
  return { status, body, isPage: /^\s*text\/html\b/i.test(type ?? ''), isEnd: false }
}

/** Requests say that gzip is taken, as those of obfs4proxy do, so a front may compress what the server did not. */
async function decoded(body: readonly Buffer[], encoding: string): Promise<readonly Buffer[]> {
  if (encoding === '' || encoding === 'identity' || body.length === 0) return body
  if (encoding !== 'gzip' && encoding !== 'x-gzip') {
    throw new PtError('PT_FRAME', 'an answer is encoded in a way that was not offered')
  }
  const { gunzip } = await import('node:zlib')
  const inflate = promisify<Buffer, { readonly maxOutputLength: number }, Buffer>(gunzip)
  try {
    return [await inflate(Buffer.concat(body), { maxOutputLength: MOST_BYTES })]
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLong()
    throw new PtError('PT_FRAME', 'an answer is not the gzip that it says it is')
  }
}

function tooLong(): PtError {
  return new PtError('PT_LIMIT', `an answer is longer than ${MOST_BYTES} bytes`)
}
