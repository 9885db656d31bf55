/** How captured hellos are read: what is malformed is PT_PROFILE, and names the field. */
import { PtError } from '../../error.ts'
import { Reader } from '../wire.ts'
import { TlsFault } from '../alert.ts'

export function malformedHello(why: string): PtError {
  return new PtError('PT_PROFILE', `the ClientHello cannot be read: ${why}`)
}

/** What `read` makes of `bytes`, all of which it has to read. */
export function reading<T>(what: string, bytes: Buffer, read: (reader: Reader) => T): T {
  const reader = new Reader(bytes, what)
  try {
    const value = read(reader)
    reader.end()
    return value
  } catch (error) {
    if (!(error instanceof TlsFault)) throw error
    throw malformedHello(`its ${what} is malformed`)
  }
}
