/** The pieces of TLS by themselves: every prefix and every surplus of what a server may send, limits, and groups against node:crypto. */
import { checkPrimeSync, createDiffieHellman, createECDH, randomBytes } from 'node:crypto'
import { brotliCompressSync, deflateSync } from 'node:zlib'
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js'
import { describe, expect, test } from 'vitest'
import type { TlsFault } from '../../src/tls/alert.ts'
import { alertName } from '../../src/tls/alert.ts'
import { ffdhePrime } from '../../src/tls/ffdhe.ts'
import { groups, makeShare, makeX25519 } from '../../src/tls/groups.ts'
import { readAlert } from '../../src/tls/handshake-wire.ts'
import { inflate } from '../../src/tls/inflate.ts'
import { nobleKemKeys, nodeKemKeys } from '../../src/tls/ml-kem.ts'
import { readKeyUpdate, readNewSessionTicket } from '../../src/tls/messages/after.ts'
import {
  readCertificate,
  readCertificateRequest,
  readCertificateVerify,
  readCompressedCertificate,
} from '../../src/tls/messages/certificate.ts'
import { readEncryptedExtensions } from '../../src/tls/messages/encrypted-extensions.ts'
import { extension } from '../../src/tls/messages/extensions.ts'
import { handshakeMessage, MAX_MESSAGE, MessageAssembler } from '../../src/tls/messages/handshake.ts'
import { readServerHello } from '../../src/tls/messages/server-hello.ts'
import { MAX_CONTENT, recordLength, RecordOpener, RecordSealer } from '../../src/tls/record.ts'
import { suiteOf } from '../../src/tls/suites.ts'
import { TicketStore } from '../../src/tls/tickets.ts'
import { u16, u8, uint, vector } from '../../src/tls/wire.ts'

function alertOf(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    return (error as TlsFault).alert
  }
  return 'none'
}

const offered = new Set([0x00, 0x0a, 0x10, 0x12, 0x1c, 0x22, 0x2b, 0x33, 0x29, 0x44cd, 0xca34, 0xfe0d])
const versions = extension(0x2b, u16(0x0304))
const hello = (...extensions: Buffer[]): Buffer =>
  Buffer.concat([
    u16(0x0303),
    Buffer.alloc(32, 7),
    vector(1, Buffer.alloc(32)),
    u16(0x1301),
    u8(0),
    vector(2, ...extensions),
  ])
const share = extension(0x33, u16(0x1d), vector(2, Buffer.alloc(32)))
const retryHello = (...extensions: Buffer[]): Buffer => {
  const bytes = hello(versions, ...extensions)
  Buffer.from('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c', 'hex').copy(bytes, 2)
  return bytes
}

const bodies: readonly (readonly [string, Buffer, (body: Buffer) => unknown])[] = [
  ['ServerHello', hello(versions, share), (body) => readServerHello(body, offered)],
  [
    'EncryptedExtensions',
    vector(2, extension(0x10, vector(2, vector(1, Buffer.from('h2'))))),
    (body) => readEncryptedExtensions(body, offered, ['h2']),
  ],
  [
    'CertificateRequest',
    Buffer.concat([vector(1), vector(2, extension(0x0d, vector(2, u16(0x0403))))]),
    readCertificateRequest,
  ],
  [
    'Certificate',
    Buffer.concat([vector(1), vector(3, vector(3, Buffer.alloc(9)), vector(2))]),
    (body) => readCertificate(body, offered),
  ],
  ['CertificateVerify', Buffer.concat([u16(0x0403), vector(2, Buffer.alloc(70))]), readCertificateVerify],
  [
    'NewSessionTicket',
    Buffer.concat([uint(7, 4), uint(8, 4), vector(1, u8(1)), vector(2, Buffer.alloc(9)), vector(2)]),
    readNewSessionTicket,
  ],
  ['KeyUpdate', u8(1), readKeyUpdate],
]

describe.each(bodies)('%s', (name, body, read) => {
  test('is read, and no strict prefix of it and no surplus', () => {
    expect(() => read(body)).not.toThrow()
    for (let length = 0; length < body.length; length++) {
      // A hello without extensions is whole, and one of an older version.
      const older = name === 'ServerHello' && length === 70
      expect(alertOf(() => read(body.subarray(0, length)))).toBe(older ? 'protocol_version' : 'decode_error')
    }
    expect(alertOf(() => read(Buffer.concat([body, u8(0)])))).toBe('decode_error')
  })
})

test.each([
  ['an extension that was not offered', hello(versions, extension(0x7777)), 'unsupported_extension'],
  ['an extension of another message', hello(versions, extension(0x10)), 'illegal_parameter'],
  ['an extension twice', hello(versions, versions), 'illegal_parameter'],
  ['another version in supported_versions', hello(extension(0x2b, u16(0x0303))), 'illegal_parameter'],
  ['compression', Buffer.from(hello(versions)).fill(1, 69, 70), 'illegal_parameter'],
  ['a HelloRetryRequest with a ticket', retryHello(extension(0x29, u16(0))), 'illegal_parameter'],
  ['a HelloRetryRequest with a cookie, which needs no offer', retryHello(extension(0x2c, vector(2, u8(1)))), 'none'],
])('a ServerHello with %s', (_title, body, alert) => {
  expect(alertOf(() => readServerHello(body, offered))).toBe(alert)
})

test.each([
  [
    'a protocol that was not offered',
    [extension(0x10, vector(2, vector(1, Buffer.from('spdy'))))],
    'illegal_parameter',
  ],
  ['two protocols', [extension(0x10, vector(2, vector(1, u8(104)), vector(1, u8(104))))], 'decode_error'],
  ['data with the server name', [extension(0x00, u8(0))], 'decode_error'],
  ['a record limit of 63', [extension(0x1c, u16(63))], 'illegal_parameter'],
  ['settings without a protocol', [extension(0x44cd)], 'illegal_parameter'],
  ['a key share', [share], 'illegal_parameter'],
  ['retry configurations of ECH, which are ignored', [extension(0xfe0d, vector(2, u16(0xfe0d), vector(2)))], 'none'],
])('EncryptedExtensions with %s', (_title, extensions, alert) => {
  expect(alertOf(() => readEncryptedExtensions(vector(2, ...extensions), offered, ['h']))).toBe(alert)
})

test('a Certificate with a context, without a certificate, or with 17 of them is refused', () => {
  const one = [vector(3, u8(1)), vector(2)]
  const body = (context: Buffer, ...list: Buffer[]): Buffer => Buffer.concat([vector(1, context), vector(3, ...list)])
  expect(alertOf(() => readCertificate(body(u8(1), ...one), offered))).toBe('illegal_parameter')
  expect(alertOf(() => readCertificate(body(Buffer.alloc(0)), offered))).toBe('decode_error')
  expect(
    alertOf(() => readCertificate(body(Buffer.alloc(0), ...Array.from({ length: 17 }, () => one).flat()), offered)),
  ).toBe('bad_certificate')
})

describe('a compressed certificate', () => {
  const plain = Buffer.concat([vector(1), vector(3, vector(3, Buffer.alloc(3000, 'cert')), vector(2))])
  const message = (algorithm: number, length: number, data: Buffer): Buffer =>
    Buffer.concat([u16(algorithm), uint(length, 3), vector(3, data)])

  test('comes in zlib and brotli', () => {
    for (const [algorithm, data] of [
      [1, deflateSync(plain)],
      [2, brotliCompressSync(plain)],
    ] as const) {
      expect(readCompressedCertificate(message(algorithm, plain.length, data), [1, 2])).toEqual(plain)
      expect(alertOf(() => readCompressedCertificate(message(algorithm, plain.length - 1, data), [1, 2]))).toBe(
        'bad_certificate',
      )
      expect(alertOf(() => readCompressedCertificate(message(algorithm, plain.length + 1, data), [1, 2]))).toBe(
        'bad_certificate',
      )
      expect(alertOf(() => readCompressedCertificate(message(algorithm, plain.length, data.subarray(1)), [1, 2]))).toBe(
        'bad_certificate',
      )
      expect(alertOf(() => readCompressedCertificate(message(algorithm, plain.length, data), [3]))).toBe(
        'illegal_parameter',
      )
    }
  })

  test('comes in zstd, as `zstd -19` writes it', () => {
    const data = Buffer.from('KLUv/QRodQAAOHBvc3Rlcm4BALJUFSMX5NOU', 'base64')
    expect(String(readCompressedCertificate(message(3, 700, data), [3]))).toBe('postern'.repeat(100))
    for (const bad of [data.subarray(1), data.subarray(0, 20)]) {
      expect(alertOf(() => readCompressedCertificate(message(3, 700, bad), [3]))).toBe('bad_certificate')
    }
  })

  test('is no bomb: what would be longer than a message is not inflated at all', () => {
    const bomb = message(2, 0xffffff, brotliCompressSync(Buffer.alloc(0xffffff)))
    expect(alertOf(() => readCompressedCertificate(bomb, [2]))).toBe('bad_certificate')
    expect(inflate(2, brotliCompressSync(Buffer.alloc(10_000_000)), 1000)).toBeUndefined()
  })
})

describe('handshake messages', () => {
  const messages = [handshakeMessage(8, Buffer.alloc(300, 1)), handshakeMessage(20, Buffer.alloc(32, 2))]

  test('are put together byte by byte, and taken apart from one record', () => {
    for (const size of [1, 3, 1000]) {
      const assembler = new MessageAssembler()
      const found: Buffer[] = []
      const bytes = Buffer.concat(messages)
      for (let at = 0; at < bytes.length; at += size) {
        assembler.add(bytes.subarray(at, at + size))
        for (let one = assembler.next(); one !== undefined; one = assembler.next()) found.push(one.whole)
      }
      expect(found).toEqual(messages)
      expect(assembler.isAmid).toBe(false)
    }
  })

  test('have a limit, and their records are not empty', () => {
    const assembler = new MessageAssembler()
    assembler.add(Buffer.concat([u8(11), uint(MAX_MESSAGE + 1, 3)]))
    expect(alertOf(() => assembler.next())).toBe('illegal_parameter')
    expect(alertOf(() => new MessageAssembler().add(Buffer.alloc(0)))).toBe('unexpected_message')
  })
})

describe.each([0x1301, 0x1302, 0x1303])('records of suite %i', (id) => {
  const suite = suiteOf(id)!
  const secret = randomBytes(suite.hashLength)
  const open = (opener: RecordOpener, record: Buffer): unknown => opener.open(record)

  test('are opened in their order, and in no other', () => {
    const sealer = new RecordSealer(suite, secret)
    const records = ['one', 'two'].map((text) => sealer.seal(23, Buffer.from(text)))
    const opener = new RecordOpener(suite, secret)
    expect(records.map((record) => open(opener, record))).toEqual([
      { type: 23, content: Buffer.from('one') },
      { type: 23, content: Buffer.from('two') },
    ])
    expect(alertOf(() => open(new RecordOpener(suite, secret), records[1]!))).toBe('bad_record_mac')
  })

  test('with any changed byte are refused', () => {
    const record = new RecordSealer(suite, secret).seal(22, Buffer.from('message'))
    for (let at = 0; at < record.length; at++) {
      const changed = Buffer.from(record)
      changed[at]! ^= 1
      expect(alertOf(() => open(new RecordOpener(suite, secret), changed))).toBe('bad_record_mac')
    }
  })

  test('may be padded, may not be padding alone, and may hold so much', () => {
    const padded = (content: Buffer, type: number): unknown =>
      open(new RecordOpener(suite, secret), new RecordSealer(suite, secret).seal(type, content))
    expect(padded(Buffer.from('data\x17\0\0\0'), 0)).toEqual({ type: 23, content: Buffer.from('data') })
    expect(alertOf(() => padded(Buffer.alloc(10), 0))).toBe('unexpected_message')
    expect(alertOf(() => padded(Buffer.alloc(0), 20))).toBe('unexpected_message')
    expect(alertOf(() => padded(Buffer.alloc(MAX_CONTENT), 23))).toBe('none')
    expect(alertOf(() => padded(Buffer.alloc(MAX_CONTENT + 1), 23))).toBe('record_overflow')
  })
})

test('the head of a record is checked before its content is awaited', () => {
  expect(recordLength(Buffer.from('00001603030005', 'hex'), 2, false)).toBe(10)
  for (const bytes of ['4854545020', '1502000002', '1803030002']) {
    expect(alertOf(() => recordLength(Buffer.from(bytes, 'hex'), 0, false))).toBe('unexpected_message')
  }
  expect(alertOf(() => recordLength(Buffer.from('1603034001', 'hex'), 0, false))).toBe('record_overflow')
  expect(alertOf(() => recordLength(Buffer.from('1703034101', 'hex'), 0, true))).toBe('record_overflow')
})

test('configurations for ECH have to have their form, though ours was none', () => {
  const alert = (data: Buffer): string =>
    alertOf(() => readEncryptedExtensions(vector(2, extension(0xfe0d, data)), offered, []))
  const list = vector(2, u16(0xfe0d), vector(2, Buffer.alloc(9)))
  expect(alert(list)).toBe('none')
  for (let length = 0; length < list.length; length++) expect(alert(list.subarray(0, length))).toBe('decode_error')
  expect([alert(vector(2)), alert(Buffer.concat([list, u8(0)]))]).toEqual(['decode_error', 'decode_error'])
})

test('staples of a certificate have to have their form: an OCSP response, and timestamps of which none is empty', () => {
  const certificate = (...extensions: Buffer[]): Buffer =>
    Buffer.concat([vector(1), vector(3, vector(3, Buffer.alloc(9)), vector(2, ...extensions))])
  const alert = (type: number, ...data: Buffer[]): string =>
    alertOf(() => readCertificate(certificate(extension(type, ...data)), new Set([5, 0x12])))
  expect([alert(5, u8(1), vector(3, u8(7))), alert(0x12, vector(2, vector(2, u8(7))))]).toEqual(['none', 'none'])
  expect([alert(5, u8(1), vector(3)), alert(5), alert(5, u8(1), vector(3, u8(7)), u8(0))]).toEqual(
    Array.from({ length: 3 }, () => 'decode_error'),
  )
  expect([alert(0x12), alert(0x12, vector(2)), alert(0x12, vector(2, vector(2)))]).toEqual(
    Array.from({ length: 3 }, () => 'decode_error'),
  )
})

test('a request for a certificate names signature algorithms, and authorities if any', () => {
  const alert = (...extensions: Buffer[]): string =>
    alertOf(() => readCertificateRequest(Buffer.concat([vector(1), vector(2, ...extensions)])))
  const schemes = extension(0x0d, vector(2, u16(0x0403)))
  expect([alert(schemes), alert(schemes, extension(0x2f, vector(2, vector(2, u8(1)))))]).toEqual(['none', 'none'])
  expect([alert(), alert(extension(0x0d, vector(2))), alert(schemes, extension(0x2f, vector(2)))]).toEqual([
    'missing_extension',
    'decode_error',
    'decode_error',
  ])
})

test('alerts: close_notify ends, user_canceled is ignored, others are named, a malformed one is refused', () => {
  expect(alertOf(() => readAlert(Buffer.of(42, 0)))).toBe('illegal_parameter')
  expect([readAlert(Buffer.of(1, 0)), readAlert(Buffer.of(1, 90))]).toEqual(['close', 'ignore'])
  expect(() => readAlert(Buffer.of(2, 40))).toThrow('handshake_failure')
  expect([alertName(116), alertName(200)]).toEqual(['certificate_required', 'alert 200'])
  expect(alertOf(() => readAlert(Buffer.of(2)))).toBe('decode_error')
})

describe('groups', () => {
  test.each([
    [groups.secp256r1, 'prime256v1'],
    [groups.secp384r1, 'secp384r1'],
    [groups.secp521r1, 'secp521r1'],
  ])('ECDH of group %i agrees with the peer, and refuses what is no uncompressed point', async (group, curve) => {
    const ours = (await makeShare(group, undefined))!
    const theirs = createECDH(curve)
    const point = theirs.generateKeys()
    expect(ours.agree(point)).toEqual(theirs.computeSecret(ours.publicKey))
    const off = Buffer.from(point)
    off[off.length - 1]! ^= 1
    for (const bad of [theirs.getPublicKey(null, 'compressed'), off, point.subarray(1), Buffer.alloc(point.length)]) {
      expect(alertOf(() => ours.agree(bad))).toBe('illegal_parameter')
    }
  })

  test('X25519 agrees with itself, and refuses keys of low order and of another length', () => {
    const [a, b] = [makeX25519(), makeX25519()]
    expect(a.agree(b.publicKey)).toEqual(b.agree(a.publicKey))
    for (const bad of [Buffer.alloc(32), Buffer.alloc(31, 9)])
      expect(alertOf(() => a.agree(bad))).toBe('illegal_parameter')
  })

  test('X25519MLKEM768 has the secret of ML-KEM first', async () => {
    const pair = makeX25519()
    const ours = (await makeShare(groups.x25519MlKem768, pair))!
    const { cipherText, sharedSecret } = ml_kem768.encapsulate(ours.publicKey.subarray(0, 1184))
    const theirs = makeX25519()
    expect(ours.publicKey.subarray(1184)).toEqual(pair.publicKey)
    const secret = ours.agree(Buffer.concat([cipherText, theirs.publicKey]))
    expect(secret).toEqual(Buffer.concat([sharedSecret, theirs.agree(pair.publicKey)]))
    expect(alertOf(() => ours.agree(Buffer.from(cipherText)))).toBe('illegal_parameter')
  })

  test('ML-KEM of this Node and of @noble/post-quantum are the same, if this Node has it', async () => {
    for (const keys of [nodeKemKeys(), await nobleKemKeys()]) {
      if (keys === undefined) continue
      const { cipherText, sharedSecret } = ml_kem768.encapsulate(keys.publicKey)
      expect(keys.decapsulate(Buffer.from(cipherText))).toEqual(Buffer.from(sharedSecret))
    }
  })

  test.each([
    [groups.ffdhe2048, 2048],
    [groups.ffdhe3072, 3072],
  ] as const)('the prime of group %i is a safe one, and agrees with the peer', async (group, bits) => {
    const prime = ffdhePrime(bits)
    expect([prime.length * 8, prime.subarray(0, 8).toString('hex'), prime.subarray(-8).toString('hex')]).toEqual([
      bits,
      'f'.repeat(16),
      'f'.repeat(16),
    ])
    const number = BigInt(`0x${prime.toString('hex')}`)
    expect([checkPrimeSync(number), checkPrimeSync((number - 1n) / 2n)]).toEqual([true, true])
    // The first digits of e stand after the first 64 bits (RFC 7919, appendix A.1).
    expect(prime.subarray(8, 24).toString('hex')).toBe('adf85458a2bb4a9aafdc5620273d3cf1')
    const ours = (await makeShare(group, undefined))!
    const theirs = createDiffieHellman(prime, Buffer.of(2))
    const key = theirs.generateKeys()
    if (key.length === prime.length) expect(ours.agree(key)).toHaveLength(prime.length)
    expect(alertOf(() => ours.agree(Buffer.alloc(prime.length)))).toBe('illegal_parameter')
    expect(alertOf(() => ours.agree(key.subarray(1)))).toBe('illegal_parameter')
  })

  test('an unknown group has no share', async () => {
    expect(await makeShare(0x1234, undefined)).toBeUndefined()
  })
})

describe('tickets', () => {
  const ticket = (mark: number, lifetime = 1000, received = Date.now()): Parameters<TicketStore['put']>[1] => ({
    suite: suiteOf(0x1301)!,
    psk: Buffer.alloc(32),
    bytes: Buffer.of(mark),
    ageAdd: 0,
    received,
    lifetime,
    certificates: [],
  })

  test('the newest is given first, each once, and to its own key alone', () => {
    const store = new TicketStore()
    store.put('a', ticket(1))
    store.put('a', ticket(2))
    expect(store.take('b')).toBeUndefined()
    expect([store.take('a')?.bytes[0], store.take('a')?.bytes[0], store.take('a')]).toEqual([2, 1, undefined])
  })

  test('those that are too old, or of a clock that was set back, are not given', () => {
    const store = new TicketStore()
    store.put('a', ticket(1, 1000, Date.now() - 1001))
    store.put('a', ticket(2, 1000, Date.now() + 5000))
    store.put('a', ticket(3, 0))
    expect(store.take('a')).toBeUndefined()
  })

  test('at most eight are kept of a visit, and at most a thousand visits', () => {
    const store = new TicketStore()
    for (let n = 0; n < 20; n++) store.put('a', ticket(n))
    expect(Array.from({ length: 9 }, () => store.take('a')?.bytes[0])).toEqual([
      19,
      18,
      17,
      16,
      15,
      14,
      13,
      12,
      undefined,
    ])
    for (let n = 0; n <= 1000; n++) store.put(`visit ${n}`, ticket(0))
    expect([store.take('visit 0'), store.take('visit 1')?.bytes[0]]).toEqual([undefined, 0])
  })
})
