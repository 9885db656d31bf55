/** The address of a client that came through a front. */
import type { Duplex } from 'node:stream'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Field } from '../../../src/http1/fields.ts'
import { readUserAddress } from '../../../src/sessions/user-address.ts'
import { clientAddress, parseTrust, readForwarded } from '../../../src/transports/web/forwarded-for.ts'

/** A connection from this peer; nothing else of it is asked. */
function from(remoteAddress: string | undefined, remotePort: number | undefined = 5000): Duplex {
  return { remoteAddress, remotePort } as unknown as Duplex
}

const values: readonly (readonly [string | undefined, string | undefined])[] = [
  ['192.0.2.1', '192.0.2.1'],
  ['  192.0.2.1\t', '192.0.2.1'],
  ['198.51.100.7, 192.0.2.1', '192.0.2.1'],
  ['unknown, 192.0.2.1', '192.0.2.1'],
  ['192.0.2.1:99', '192.0.2.1:99'],
  ['192.0.2.1:0', '192.0.2.1'],
  ['2001:db8::7', '2001:db8::7'],
  ['[2001:db8::7]', '2001:db8::7'],
  ['[2001:db8::7]:443', '[2001:db8::7]:443'],
  ['[2001:db8::7]:0', '2001:db8::7'],
  ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
  [undefined, undefined],
  ['', undefined],
  [',', undefined],
  ['192.0.2.1,', undefined],
  ['192.0.2.1, unknown', undefined],
  ['_hidden', undefined],
  ['192.0.2.1:99999', undefined],
  ['192.0.2.1:x', undefined],
  ['192.0.2.256', undefined],
  ['192.0.2.0/24', undefined],
  ['[2001:db8::7', undefined],
  ['2001:db8::7]:443', undefined],
  ['[192.0.2.1', undefined],
  ['front.example', undefined],
  ['front.example:443', undefined],
  [`192.0.2.1:${'1'.repeat(200)}`, undefined],
]

test.each(values)('of the value %j the client is %j', (value, client) => {
  expect(readForwarded(value)).toBe(client)
})

test('the last field counts, as a client may have written those before it', () => {
  const fields: Field[] = [
    ['X-Forwarded-For', '203.0.113.99'],
    ['x-forwarded-for', '203.0.113.98, 192.0.2.1'],
  ]
  expect(clientAddress(from('127.0.0.1'), fields, parseTrust(undefined))).toBe('192.0.2.1')
})

const said: Field[] = [['X-Forwarded-For', '192.0.2.1']]
const peers: readonly (readonly [peer: string, trust: string | undefined, client: string])[] = [
  ['127.0.0.1', undefined, '192.0.2.1'],
  ['127.8.8.8', undefined, '192.0.2.1'],
  ['::1', undefined, '192.0.2.1'],
  ['::ffff:127.0.0.1', undefined, '192.0.2.1'],
  ['198.51.100.7', undefined, '198.51.100.7:5000'],
  ['10.0.0.7', '10.0.0.0/8', '192.0.2.1'],
  ['::ffff:10.0.0.7', '10.0.0.0/8', '192.0.2.1'],
  ['127.0.0.1', '10.0.0.0/8', '192.0.2.1'],
  ['11.0.0.7', '10.0.0.0/8, 2001:db8::/32', '11.0.0.7:5000'],
  ['2001:db8::9', '10.0.0.0/8, 2001:db8::/32', '192.0.2.1'],
  ['2001:db9::9', '10.0.0.0/8, 2001:db8::/32', '[2001:db9::9]:5000'],
]

test.each(peers)('a connection from %s with trust=%s is of %s', (peer, trust, client) => {
  expect(clientAddress(from(peer), said, parseTrust(trust))).toBe(client)
})

test('without a value of the front the client is the peer, and of a closed connection nothing is known', () => {
  const trust = parseTrust(undefined)
  expect(clientAddress(from('127.0.0.1'), [], trust)).toBe('127.0.0.1:5000')
  expect(clientAddress(from('127.0.0.1'), [['X-Forwarded-For', 'junk']], trust)).toBe('127.0.0.1:5000')
  expect(clientAddress(from(undefined, undefined), said, trust)).toBeUndefined()
})

test.each(['', ',', '10.0.0.0/8,', 'front.example', '10.0.0.0/33', '10.0.0.0/8;11.0.0.0/8', '10.0.0/8', 'all'])(
  'trust=%j is refused',
  (text) => {
    expect(() => parseTrust(text)).toThrow(/^malformed argument 'trust'/)
  },
)

test('more subnets than anybody has are refused', () => {
  expect(() => parseTrust(Array.from({ length: 101 }, () => '10.0.0.1').join(','))).toThrow('more than 100')
})

test('whatever a header holds, an address comes out that a PT can say, never with port 0, or none', () => {
  const piece = fc.constantFrom('192.0.2.1', '2001:db8::1', '[', ']', ':', '0', '443', ',', ' ', '%', '/', 'x', '\0')
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece).map((pieces) => pieces.join('')),
      ),
      (value) => {
        const client = readForwarded(value)
        if (client === undefined) return
        const address = readUserAddress(client)
        expect(address).toMatch(/^(?:[\d.]+|\[[0-9a-f:.]+\]):\d+$/i)
        expect(address).not.toMatch(/:0$/)
      },
    ),
  )
})
