import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatAddress, formatClientArgs } from '../../src/ipc/index.ts'
import { isPtError } from '../../src/index.ts'
import type { Meant } from './dialogue.ts'
import { converse, encode4, encode5, hex, openPair, openSockets } from './dialogue.ts'
import { shows } from '../shows.ts'

const byte = fc.integer({ min: 0, max: 255 })
const ipv4 = fc.ipV4()
const ipv6 = fc
  .array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 })
  .map((groups) => groups.map((group) => group.toString(16)).join(':'))
const pairs = fc.array(fc.tuple(fc.string({ minLength: 1, unit: 'grapheme' }), fc.string({ unit: 'grapheme' })))

const withHost = (host: fc.Arbitrary<string>): fc.Arbitrary<{ meant: Meant; pairs: [string, string][] }> =>
  fc
    .record({ host, port: fc.integer({ min: 0, max: 65535 }), pairs })
    .map(({ host, port, pairs }) => ({ meant: { host, port, args: Buffer.from(formatClientArgs(pairs)) }, pairs }))

/** Cuts the bytes at the given places, as a network might. */
function cutAt(whole: Buffer, places: readonly number[]): Buffer[] {
  const cuts = [...new Set(places.map((place) => place % (whole.length + 1)))].sort((a, b) => a - b)
  return [0, ...cuts].map((from, index) => whole.subarray(from, cuts[index] ?? whole.length))
}

/** The same address in one spelling: an IPv6 one as the URL standard writes it. */
const spelled = (host: string): string =>
  host.includes(':') ? new URL(`http://[${host}]`).hostname.slice(1, -1) : host

test('ARGS-1, ARGS-4, ARGS-5: any SOCKS 5 request reads back as it was meant, however it is cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      withHost(fc.oneof(ipv4, ipv6, fc.domain())).filter(({ meant }) => meant.args.length <= 510),
      fc.integer({ min: 1, max: 255 }),
      fc.array(fc.nat(600), { maxLength: 5 }),
      async ({ meant, pairs }, cut, places) => {
        const rest = meant.args.length - 255
        const uname = Math.min(Math.max(cut, rest), meant.args.length, 255)
        const whole = Buffer.concat([...encode5(meant, uname), hex('cafe')])
        const { request, received } = await converse(openPair(), cutAt(whole, places), { fin: true })
        expect(request?.args.toJSON()).toEqual(pairs)
        const target = request?.target.replaceAll(/[[\]]/g, '') ?? ''
        expect(spelled(target.slice(0, target.lastIndexOf(':')))).toBe(spelled(meant.host))
        expect(target.slice(target.lastIndexOf(':') + 1)).toBe(String(meant.port))
        expect(received.subarray(-2)).toEqual(hex('cafe'))
      },
    ),
    { numRuns: 200 },
  )
  shows('ARCH-2', 'ARGS-1')
})

test('ARCH-2, ARGS-3: any SOCKS 4 or 4a request reads back as it was meant, however it is cut', async () => {
  // A first byte of 0 would announce a name where none is; a NUL would end the user id.
  const address = ipv4.filter((host) => !host.startsWith('0.'))
  const request4 = withHost(fc.oneof(address, fc.domain())).filter(({ meant }) => !meant.args.includes(0))
  await fc.assert(
    fc.asyncProperty(request4, fc.array(fc.nat(600), { maxLength: 5 }), async ({ meant, pairs }, places) => {
      const whole = Buffer.concat([encode4(meant), hex('cafe')])
      const { request, received } = await converse(openPair(), cutAt(whole, places), { fin: true })
      expect(request).toMatchObject({ version: 4, target: formatAddress(meant) })
      expect(request?.args.toJSON()).toEqual(pairs)
      expect(received.toString('hex')).toBe('005a000000000000cafe')
    }),
    { numRuns: 200 },
  )
  shows('ARCH-2', 'ARGS-3')
})

test('random bytes end in a PtError and a closed connection, or in a request', async () => {
  const start = fc.constantFrom(
    '',
    '05',
    '0501',
    '050100',
    '050102',
    '0501000501',
    '05010201',
    '04',
    '0401',
    '040100500000',
  )
  const noise = fc
    .tuple(start, fc.array(byte, { maxLength: 700 }))
    .map(([text, rest]) => Buffer.from([...hex(text), ...rest]))
  await fc.assert(
    fc.asyncProperty(noise, fc.boolean(), async (bytes, whole) => {
      const chunks = whole ? [bytes] : cutAt(bytes, [1, 3, 9])
      const { request, error } = await converse(await openSockets(), chunks, { fin: true })
      expect(request !== undefined || isPtError(error, 'PT_SOCKS', 'PT_ARGS', 'PT_CLOSED')).toBe(true)
    }),
    { numRuns: 500 },
  )
})

test('a good conversation with one byte changed ends in a PtError and a closed connection, or in a request', async () => {
  const args = Buffer.from('k=v;cert=abc')
  const whole = [
    Buffer.concat(encode5({ host: 'example.com', port: 443, args })),
    Buffer.concat(encode5({ host: '2001:db8::1', port: 443, args }, 3)),
    encode4({ host: '192.0.2.1', port: 443, args }),
    encode4({ host: 'example.com', port: 443, args }),
  ]
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...whole), fc.nat(1000), byte, async (good, at, value) => {
      const bytes = Buffer.from(good)
      bytes[at % bytes.length] = value
      const { request, error } = await converse(await openSockets(), [bytes], { fin: true })
      expect(request !== undefined || isPtError(error, 'PT_SOCKS', 'PT_ARGS', 'PT_CLOSED')).toBe(true)
    }),
    { numRuns: 500 },
  )
})
