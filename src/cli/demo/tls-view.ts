/** What an observer reads of a connection that speaks TLS: its hello, and the lengths of its records. */
import { dataOf, firstMessage, readClientHello } from '../../tls/hellos/client-hello.ts'
import { differences } from '../../tls/hellos/compare.ts'
import { ja4 } from '../../tls/hellos/fingerprints.ts'
import { nearestProfile } from '../../tls/hellos/nearest.ts'
import { extensionTypes } from '../../tls/messages/extensions.ts'

const HEADER = 5
const kinds: Readonly<Record<number, string>> = {
  20: 'change cipher spec',
  21: 'alert',
  22: 'handshake',
  23: 'sealed',
}

/** Rows about the hello that `bytes` begin with. */
export function helloRows(bytes: Buffer): (readonly [string, string])[] {
  const found = firstMessage(bytes)
  if (found === undefined) return [['hello', `${bytes.length} bytes of one that is not whole`]]
  const hello = readClientHello(found.message)
  const nearest = nearestProfile(hello)
  const odd = differences(hello, nearest).length
  return [
    ['hello', `${found.end} bytes, ${hello.extensions.length} extensions`],
    ['name of the host', nameIn(dataOf(hello, extensionTypes.serverName))],
    ['JA4', ja4(hello)],
    [
      'it looks like',
      `${nearest.browser} ${nearest.version.split('.', 1)[0]}${odd === 0 ? ', in every field' : `, but for ${odd} fields`}`,
    ],
  ]
}

/** The name of a server_name extension, which has its list's length, its type and its own length before it. */
function nameIn(data: Buffer | undefined): string {
  return data === undefined ? 'none' : data.subarray(HEADER).toString('latin1')
}

/** `handshake 1974, sealed 74`: the records that begin in `bytes`, by their kind and the length of their content. */
export function recordsIn(bytes: Buffer): string {
  const records: string[] = []
  for (let at = 0; at + HEADER <= bytes.length; at += HEADER + bytes.readUInt16BE(at + 3)) {
    records.push(`${kinds[bytes[at]!] ?? 'unknown'} ${bytes.readUInt16BE(at + 3)}`)
  }
  return records.join(', ')
}
