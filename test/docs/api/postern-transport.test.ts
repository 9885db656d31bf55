/** The examples of docs/api/transport.md, and of docs/api/testing.md: a transport, and the suite over it. */
import { framed } from 'postern/io'
import { transportCases } from 'postern/testing'
import type { Transport } from 'postern/transport'
import { describe, expect, test } from 'vitest'

// example: Transport
const flip = (bytes: Uint8Array): Uint8Array => bytes.map((byte) => byte ^ 0xff)
const codec = () => ({ encode: flip, decode: (chunk: Uint8Array) => [flip(chunk)] })

const transport: Transport = {
  name: 'flip',
  client: () => ({ dial: async ({ target, connect, signal }) => framed(await connect(target, signal), codec()) }),
  server: () => ({ accept: async ({ conn }) => framed(conn, codec()) }),
}
// end

describe('the transport of the example passes the suite', () => {
  const cases = transportCases(transport)
  for (const { name, run } of cases) test(name, run)
  test('the suite has cases', () => expect(cases.length).toBeGreaterThan(10))
})
