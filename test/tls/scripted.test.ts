/** What servers rarely do and ours has to honour, and what no server may do. */
import { generateKeyPairSync, randomInt, sign } from 'node:crypto'
import { once } from 'node:events'
import type { KeyObject } from 'node:crypto'
import { brotliCompressSync, deflateSync } from 'node:zlib'
import { text } from 'node:stream/consumers'
import { readExactly } from 'postern/io'
import type { ConnectTlsOptions, TlsConnection } from 'postern/tls'
import { connectTls } from 'postern/tls'
import { describe, expect, test } from 'vitest'
import { extension } from '../../src/tls/messages/extensions.ts'
import { handshakeMessage } from '../../src/tls/messages/handshake.ts'
import { plainRecord } from '../../src/tls/record.ts'
import { u16, u8, uint, vector } from '../../src/tls/wire.ts'
import { failureOf, hearUncaught, long } from '../support.ts'
import type { Script, Server } from './scripted-server.ts'
import { host, leaf, newSessionTicket, root, scripted } from './scripted-server.ts'

type Options = Partial<ConnectTlsOptions>

async function shake(script: Script = {}, options: Options = {}): Promise<[TlsConnection, Server]> {
  const { conn, server } = scripted(script)
  const client = await connectTls(conn, { servername: host, roots: root.pem, ...options })
  client.on('error', () => undefined)
  return [client, await server]
}

const messageOf = async (script: Script, options: Options = {}): Promise<string> => {
  const { conn } = scripted(script)
  return (await failureOf(connectTls(conn, { servername: host, roots: root.pem, ...options }))).message
}

async function talks([client, server]: [TlsConnection, Server]): Promise<void> {
  client.write('ping')
  expect((await server.receive()).content.toString()).toBe('ping')
  server.send(23, Buffer.from('pong'))
  expect(String(await readExactly(client, 4))).toBe('pong')
}

describe('what is offered is honoured', () => {
  test('a plain handshake of this server', async () => {
    const pair = await shake()
    await talks(pair)
    expect(pair[1].clientFlight.map(({ type }) => type)).toEqual([20])
  })

  test.each([
    ['brotli', 2, brotliCompressSync, 'chromium-websocket'],
    ['zlib', 1, deflateSync, 'firefox'],
    ['brotli', 2, brotliCompressSync, 'firefox'],
  ] as const)('a certificate compressed with %s', async (_name, algorithm, compress, profile) => {
    const certificate = (message: Buffer): Buffer => {
      const body = message.subarray(4)
      return handshakeMessage(25, u16(algorithm), uint(body.length, 3), vector(3, compress(body)))
    }
    await talks(await shake({ certificate }, { profile }))
  })

  test('settings of an application are answered with ours, which are empty', async () => {
    const alpn = extension(0x10, vector(2, vector(1, Buffer.from('h2'))))
    const encrypted = [alpn, extension(0x44cd, Buffer.from('settings'))]
    const pair = await shake({ encrypted }, { profile: 'chromium-page' })
    await talks(pair)
    expect(pair[0].alpn).toBe('h2')
    expect(pair[1].clientFlight.map(({ type, body }) => [type, body.toString('hex').slice(0, 12)])).toEqual([
      [8, '000444cd0000'],
      [20, expect.any(String) as string],
    ])
  })

  test('a request for a certificate is answered with an empty list', async () => {
    const beforeCertificate = handshakeMessage(13, vector(1), vector(2, extension(0x0d, vector(2, u16(0x0403)))))
    const pair = await shake({ beforeCertificate })
    await talks(pair)
    expect(pair[1].clientFlight.map(({ type, body }) => [type, body.length])).toEqual([
      [11, 4],
      [20, 32],
    ])
    expect(pair[1].clientFlight[0]?.body.toString('hex')).toBe('00000000')
  })

  test('a record limit of 64 bytes is kept', async () => {
    const [client, server] = await shake({ encrypted: [extension(0x1c, u16(64))] }, { profile: 'firefox' })
    client.write(Buffer.alloc(200))
    const lengths: number[] = []
    while (lengths.reduce((sum, length) => sum + length, 0) < 200) lengths.push((await server.receive()).content.length)
    expect(lengths).toEqual([63, 63, 63, 11])
  })

  describe('a delegated credential', () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const week = 604_800
    const credential = (validity: number, signer: KeyObject = leaf.key): Buffer => {
      const spki = publicKey.export({ format: 'der', type: 'spki' })
      const signed = Buffer.concat([uint(validity, 4), u16(0x0403), vector(3, spki), u16(0x0403)])
      const context = Buffer.concat([
        Buffer.alloc(64, ' '),
        Buffer.from('TLS, server delegated credentials\0'),
        leaf.der,
      ])
      return extension(0x22, signed, vector(2, sign('sha256', Buffer.concat([context, signed]), signer)))
    }

    test('signs in place of the certificate', async () => {
      await talks(await shake({ leafExtensions: [credential(7200)], signer: privateKey }, { profile: 'firefox' }))
    })

    test('is refused if it is too old, too long, forged, not offered, or if another key signs', async () => {
      const firefox = { profile: 'firefox' } as const
      const refused = "the server's delegated credential is refused"
      for (const bad of [credential(0), credential(2 * week), credential(7200, privateKey)]) {
        expect(await messageOf({ leafExtensions: [bad], signer: privateKey }, firefox)).toContain(refused)
      }
      expect(await messageOf({ leafExtensions: [credential(7200)] }, firefox)).toContain('signature is wrong')
      expect(await messageOf({ leafExtensions: [credential(7200)], signer: privateKey })).toContain('not offered')
    })
  })

  test('an update of keys each way, many times', async () => {
    const [client, server] = await shake()
    for (let n = 0; n < 40; n++) {
      const asks = n % 2
      server.send(22, handshakeMessage(24, u8(asks)))
      server.updateOwnKeys()
      server.send(23, Buffer.from('data'))
      expect(String(await readExactly(client, 4))).toBe('data')
      if (asks === 1) {
        expect((await server.receive()).content.toString('hex')).toBe('1800000100')
        server.updateClientKeys()
      }
      await talks([client, server])
    }
  })

  test('records that are padded, and alerts that say nothing', async () => {
    const [client, server] = await shake()
    server.send(0, Buffer.from('padded\x17\0\0\0\0'))
    server.send(21, Buffer.of(1, 90))
    server.send(23, Buffer.alloc(0))
    server.send(23, Buffer.from('!'))
    expect(String(await readExactly(client, 7))).toBe('padded!')
  })

  test('the server’s close_notify ends reading alone; ours is still sent', async () => {
    const [client, server] = await shake()
    server.send(21, Buffer.of(1, 0))
    await once(client.resume(), 'end')
    client.end('late')
    expect((await server.receive()).content.toString()).toBe('late')
    expect(await server.receive()).toEqual({ type: 21, content: Buffer.of(1, 0) })
  })
})

const flip = (at: number) => (bytes: Buffer) => {
  const changed = Buffer.from(bytes)
  changed[at < 0 ? changed.length + at : at]! ^= 1
  return changed
}

describe('what no server may do ends the handshake', () => {
  const table: [string, Script, string][] = [
    ['another session id', { serverHello: flip(36) }, 'another session id'],
    ['a suite that was not offered', { serverHello: (body) => set(body, 67, 0x1304) }, 'cipher suite'],
    ['a suite of TLS 1.2', { serverHello: (body) => set(body, 67, 0xc02f) }, 'cipher suite'],
    [
      'a key of a group that there is no share of',
      { serverHello: (body) => set(body, 76, 0x17) },
      'a group that we sent none of',
    ],
    [
      'TLS 1.2 with its next message in the record of its hello',
      { flight: ([hello]) => [acrossKeys(plainRecord(22, olderHello(hello!)))] },
      'speaks TLS 1.2',
    ],
    ['another key, so that nothing can be read', { serverHello: flip(90) }, 'altered on the way'],
    ['a wrong Finished', { finished: flip(-1) }, 'altered on the way'],
    ['a short Finished', { finished: () => handshakeMessage(20, Buffer.alloc(31)) }, 'altered on the way'],
    ['a wrong signature', { verify: flip(-1) }, 'signature is wrong'],
    [
      'a signature by another key',
      { signer: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey },
      'signature is wrong',
    ],
    ['a scheme that does not fit', { verify: (message) => set(message, 4, 0x0804) }, 'scheme'],
    ['a scheme of older versions', { verify: (message) => set(message, 4, 0x0401) }, 'scheme'],
    ['a scheme that was not offered', { verify: (message) => set(message, 4, 0x0203) }, 'scheme'],
    ['a changed certificate', { certificate: flip(-20) }, 'cannot be trusted'],
    ['no certificate', { certificate: () => handshakeMessage(11, vector(1), vector(3)) }, 'no certificate'],
    ['messages out of order', { certificate: () => handshakeMessage(15, Buffer.alloc(8)) }, 'out of order'],
    [
      'a compression that was not offered',
      { certificate: () => handshakeMessage(25, u16(1), uint(9, 3), vector(3, Buffer.alloc(9))) },
      'was not offered',
    ],
    ['an extension that was not offered', { encrypted: [extension(0x7777)] }, 'was not offered'],
    [
      'a record in plain after its hello',
      { flight: ([hello, ...rest]) => [hello!, plainRecord(22, Buffer.alloc(9)), ...rest] },
      'in plain',
    ],
    ['data amid the handshake', { flight: () => [plainRecord(23, Buffer.alloc(9))] }, 'before the handshake was over'],
    [
      'a ChangeCipherSpec that is none',
      { flight: (all) => [plainRecord(20, Buffer.of(2)), ...all] },
      'malformed ChangeCipherSpec',
    ],
    [
      '33 of them',
      { flight: (all) => [...Array.from({ length: 33 }, () => plainRecord(20, Buffer.of(1))), ...all] },
      'without content',
    ],
    [
      'a message across the change of keys',
      { flight: ([hello, ...rest]) => [acrossKeys(hello!), ...rest] },
      'across a change of keys',
    ],
  ]
  test.each(table)('%s', async (_title, script, words) => {
    expect(await messageOf(script)).toContain(words)
  })

  test('32 ChangeCipherSpec records are ignored', async () => {
    const flight: Script['flight'] = (all) => [
      ...Array.from({ length: 32 }, () => plainRecord(20, Buffer.of(1))),
      ...all,
    ]
    await talks(await shake({ flight }))
  })

  test('the server is told why, in plain before there are keys', async () => {
    const { conn } = scripted({ serverHello: flip(36) })
    const sent: Buffer[] = []
    const write = conn.write.bind(conn)
    conn.write = (bytes: Buffer): boolean => {
      sent.push(bytes)
      return write(bytes)
    }
    await failureOf(connectTls(conn, { servername: host, roots: root.pem }))
    expect(sent.at(-1)?.toString('hex')).toBe('1503030002022f')
  })
})

function set(bytes: Buffer, at: number, value: number): Buffer {
  const changed = Buffer.from(bytes)
  changed.writeUInt16BE(value, at)
  return changed
}

/** The hello in a record, without its extensions. */
function olderHello(record: Buffer): Buffer {
  return handshakeMessage(2, record.subarray(9, 9 + 2 + 32 + 33 + 3), vector(2))
}

/** A hello with the first bytes of another message in its record. */
function acrossKeys(hello: Buffer): Buffer {
  return plainRecord(22, Buffer.concat([hello.subarray(5), Buffer.of(8, 0)]))
}

describe('what no server may do ends the connection, after the data that came before', () => {
  const table: [string, (server: Server) => void, string, number][] = [
    [
      'a handshake message of the handshake',
      (server) => server.send(22, handshakeMessage(11, Buffer.alloc(9))),
      'after the handshake',
      10,
    ],
    [
      'a request for a certificate',
      (server) => server.send(22, handshakeMessage(13, Buffer.alloc(9))),
      'after the handshake',
      10,
    ],
    [
      'data amid a message',
      (server) => (server.send(22, Buffer.of(4, 0)), server.send(23, Buffer.of(1))),
      'amid a handshake message',
      10,
    ],
    [
      'a message in the record of a KeyUpdate',
      (server) => server.send(22, Buffer.concat([handshakeMessage(24, u8(0)), newSessionTicket(u8(1))])),
      'across a KeyUpdate',
      10,
    ],
    [
      'a KeyUpdate of no kind',
      (server) => server.send(22, handshakeMessage(24, u8(2))),
      'KeyUpdate of no known kind',
      47,
    ],
    [
      '33 records without data',
      (server) => Array.from({ length: 33 }, () => server.send(23, Buffer.alloc(0))),
      'without data',
      10,
    ],
    [
      '33 tickets',
      (server) => Array.from({ length: 33 }, () => server.send(22, newSessionTicket(u8(1)))),
      'without data',
      10,
    ],
    [
      'five alerts that say nothing',
      (server) => Array.from({ length: 5 }, () => server.send(21, Buffer.of(1, 90))),
      'without data',
      10,
    ],
    ['a record in plain', (server) => server.sendRaw(plainRecord(23, Buffer.alloc(30))), 'altered on the way', 20],
    ['a ChangeCipherSpec', (server) => server.sendRaw(plainRecord(20, Buffer.of(1))), 'in plain', 10],
    ['a record that is too long', (server) => server.sendRaw(Buffer.from('1703034101', 'hex')), 'too long', 22],
  ]
  test.each(table.map(([title, act, words, alert]) => [title, act, words, alert] as const))(
    '%s',
    async (_title, act, words, alert) => {
      const [client, server] = await shake()
      server.send(23, Buffer.from('before'))
      act(server)
      expect(String(await readExactly(client, 6))).toBe('before')
      expect((await failureOf(text(client))).message).toContain(words)
      expect(await server.receive()).toEqual({ type: 21, content: Buffer.of(2, alert) })
    },
  )

  test('32 empty records are nothing, and neither are 32 after tickets and data', async () => {
    const [client, server] = await shake()
    const empty = (): void => void Array.from({ length: 32 }, () => server.send(23, Buffer.alloc(0)))
    empty()
    server.send(22, newSessionTicket(u8(1)))
    empty()
    server.send(23, Buffer.from('data'))
    empty()
    server.send(23, Buffer.from('more'))
    expect(String(await readExactly(client, 8))).toBe('datamore')
  })

  test('an alert of the server is named, and not answered', async () => {
    const [client, server] = await shake()
    server.send(21, Buffer.of(2, 80))
    expect((await failureOf(text(client))).message).toContain('internal_error')
    await expect(server.receive()).rejects.toMatchObject({ code: 'PT_CLOSED' })
  })
})

test('handshakes and connections with altered bytes end, and nothing that was forged is read', async () => {
  const uncaught = hearUncaught()
  const rounds = long ? 10_000 : 300
  let accepted = 0
  for (let round = 0; round < rounds; round++) {
    const flight = (records: readonly Buffer[]): Buffer[] => {
      const bytes = Buffer.concat(records)
      const at = randomInt(bytes.length)
      bytes[at]! ^= 1 << randomInt(8)
      // A version of a record is of no meaning; and a length may become one that waits for more.
      return randomInt(4) === 0 ? [bytes.subarray(0, at)] : [bytes]
    }
    const { conn, server } = scripted({ flight })
    const client = await connectTls(conn, { servername: host, roots: root.pem, timeout: 20 }).catch(() => undefined)
    if (client === undefined) continue
    accepted++
    client.on('error', () => undefined)
    await talks([client, await server])
    client.destroy()
  }
  expect(uncaught).toEqual([])
  // Only the second byte of a plain record's version may be anything.
  expect(accepted).toBeLessThan(rounds / 20)
})
