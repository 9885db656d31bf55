import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Args } from '../../../src/ipc/index.ts'
import { formatCert, parseCert, parseClientArguments } from '../../../src/transports/obfs4/cert.ts'
import { handshakeVector, identity } from './support.ts'

const { cert, node_id: nodeId } = handshakeVector
const publicKey = identity.publicKey.toString('hex')
const expected = { nodeId: identity.nodeId, publicKey: identity.publicKey }
const read = (args: Record<string, string>): unknown => parseClientArguments(Args.from(args))

describe('the cert', () => {
  test('is 70 characters of base64', () => {
    expect(formatCert(identity)).toBe(cert)
    expect(cert).toHaveLength(70)
  })

  test.each([
    ['as it is written', cert],
    ['with its padding', `${cert}==`],
    ['with half of its padding', `${cert}=`],
    ['in the URL-safe alphabet', cert.replaceAll('+', '-').replaceAll('/', '_')],
    ['with line breaks', `${cert.slice(0, 35)}\r\n${cert.slice(35)}\n`],
    ['with other bits behind the last byte', `${cert.slice(0, -1)}h`],
  ])('is read %s', (_how, text) => {
    expect(parseCert(text)).toEqual(expected)
  })

  test.each([
    ['', 0],
    [cert.slice(0, 69), 69],
    [`${cert}A`, 71],
    [`${cert}AA`, 72],
    [cert.repeat(2), 140],
  ])('%j is none: its length', (text, length) => {
    expect(() => parseCert(text)).toThrow(`malformed argument 'cert': it has ${length} characters instead of 70`)
  })

  test.each([
    `${cert.slice(0, 69)}*`,
    ` ${cert.slice(1)}`,
    `${cert.slice(0, 20)}=${cert.slice(21)}`,
    `${cert}===`,
    'é',
  ])('%j is none: its characters', (text) => {
    expect(() => parseCert(text)).toThrow("malformed argument 'cert': it holds characters that are not base64")
  })

  test('no strict prefix of a cert is one', () => {
    for (let length = 0; length < cert.length; length++) expect(() => parseCert(cert.slice(0, length))).toThrow(/cert/)
  })

  test('what is written is read back', () => {
    const bytes = (length: number): fc.Arbitrary<Buffer> =>
      fc.uint8Array({ minLength: length, maxLength: length }).map((array) => Buffer.from(array))
    fc.assert(
      fc.property(fc.record({ nodeId: bytes(20), publicKey: bytes(32) }), (bridge) => {
        expect(formatCert(bridge)).toMatch(/^[A-Za-z0-9+/]{70}$/)
        expect(parseCert(formatCert(bridge))).toEqual(bridge)
      }),
    )
  })
})

describe('the arguments of a client', () => {
  test.each([
    ['a cert', { cert, 'iat-mode': '0' }, 0],
    ['the older pair', { 'node-id': nodeId, 'public-key': publicKey, 'iat-mode': '1' }, 1],
    ['the older pair in capitals', { 'node-id': nodeId, 'public-key': publicKey.toUpperCase(), 'iat-mode': '2' }, 2],
    ['a cert, beside which the pair does not count', { cert, 'node-id': 'x', 'public-key': 'y', 'iat-mode': '02' }, 2],
    ['what obfs4 does not know', { cert, 'iat-mode': '0', other: 'x' }, 0],
  ])('%s', (_what, args, iatMode) => {
    expect(read(args)).toEqual({ bridge: expected, iatMode })
  })

  test.each([
    [{}, "missing argument 'cert'"],
    [{ 'iat-mode': '0' }, "missing argument 'cert'"],
    [{ 'node-id': nodeId, 'iat-mode': '0' }, "missing argument 'public-key'"],
    [{ 'public-key': publicKey, 'iat-mode': '0' }, "missing argument 'node-id'"],
    [{ cert }, "missing argument 'iat-mode'"],
    [{ cert, 'iat-mode': '' }, "malformed argument 'iat-mode'"],
    [{ cert, 'iat-mode': '3' }, "malformed argument 'iat-mode'"],
    [{ cert, 'iat-mode': '-1' }, "malformed argument 'iat-mode'"],
    [{ cert, 'iat-mode': '0x1' }, "malformed argument 'iat-mode'"],
    [{ cert: 'abc', 'iat-mode': '0' }, "malformed argument 'cert'"],
    [{ 'node-id': nodeId.slice(2), 'public-key': publicKey, 'iat-mode': '0' }, "malformed argument 'node-id'"],
    [{ 'node-id': nodeId, 'public-key': `${publicKey}00`, 'iat-mode': '0' }, "malformed argument 'public-key'"],
    [{ 'node-id': nodeId, 'public-key': `${publicKey.slice(1)}g`, 'iat-mode': '0' }, "malformed argument 'public-key'"],
  ])('PT_ARGS: %j', (args, message) => {
    expect(() => read(args)).toThrow(expect.objectContaining({ code: 'PT_ARGS', stage: 'argument' }))
    expect(() => read(args)).toThrow(message)
  })
})
