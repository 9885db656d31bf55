import { writeFileSync } from 'node:fs'
import { connectExtOrPort, encodeFrame, formatCookie } from 'postern/extor'
import { readExactly, readSome } from 'postern/io'
import { expect, test } from 'vitest'
import { drain } from '../io/streams.ts'
import type { ServerScript } from './peer.ts'
import { cookie, cookieFile, pair, playServer } from './peer.ts'
import { shows } from '../shows.ts'

/** Our client against a scripted server; what the PT said behind its hash, and its end of the connection. */
async function meet(
  script: ServerScript,
  request: { transport?: string; userAddr?: string } = {},
  path = cookieFile(),
) {
  const [near, far] = pair()
  const said = playServer(far, script)
  said.catch(() => {})
  await connectExtOrPort(near, { cookieFile: path, ...request }).catch((error: unknown) => {
    expect(near.destroyed).toBe(true)
    throw error
  })
  return { near, far, said: (await said).toString('latin1') }
}

test('SENV-11, EXT-1, EXT-2: a PT says the address and the transport of its client, and has the connection after OKAY', async () => {
  const { near, far, said } = await meet({}, { userAddr: '198.51.100.7:5678', transport: 'obfs4' })
  expect(said).toBe('\0\x01\0\x11198.51.100.7:5678\0\x02\0\x05obfs4\0\0\0\0')
  near.end('to the application')
  far.end('to the client')
  expect(String(await drain(near))).toBe('to the client')
  expect(String(await drain(far))).toBe('to the application')
})

test('EXT-2: the handshake succeeds byte by byte', async () => {
  expect((await meet({ dribble: true }, { transport: 'obfs4' })).said).toBe('\0\x02\0\x05obfs4\0\0\0\0')
})

test('EXT-2: what comes with OKAY stays in the connection', async () => {
  const { near } = await meet({ reply: Buffer.concat([encodeFrame(0x1000), Buffer.from('early')]) })
  expect(String(await readSome(near))).toBe('early')
})

test('EXT-2: nothing is sent between DONE and OKAY', async () => {
  const [near, far] = pair()
  const connected = connectExtOrPort(near, { cookieFile: cookieFile(), transport: 'obfs4' })
  await playServer(far, { reply: encodeFrame(0x1002, 'CONTROL') })
  expect(far.readableLength).toBe(0)
  far.write(encodeFrame(0x1000))
  await connected
  expect(far.readableLength).toBe(0)
  shows('EXT-2')
})

test('EXT-2: 64 unknown commands before OKAY are skipped, CONTROL and bodies of every size among them; 65 are PT_EXTOR', async () => {
  const unknown = [
    encodeFrame(0x1002),
    encodeFrame(0x1003, 'x'),
    encodeFrame(0xffff, Buffer.alloc(0xffff, 1)),
    encodeFrame(0),
  ]
  const skipped = Array.from({ length: 64 }, (_, index) => unknown[index % unknown.length]!)
  await meet({ reply: Buffer.concat([...skipped, encodeFrame(0x1000)]) })
  const reply = Buffer.concat([...skipped, encodeFrame(0x1002), encodeFrame(0x1000)])
  await expect(meet({ reply })).rejects.toMatchObject({ code: 'PT_EXTOR' })
})

test('EXT-2: DENY is PT_EXTOR_DENIED', async () => {
  await expect(meet({ reply: encodeFrame(0x1001) })).rejects.toMatchObject({ code: 'PT_EXTOR_DENIED' })
})

test.each([
  ['only others', Buffer.of(2, 3, 0), 'PT_EXTOR'],
  ['none', Buffer.of(0), 'PT_EXTOR'],
  ['255 others', Buffer.concat([Buffer.alloc(255, 2), Buffer.of(0)]), 'PT_EXTOR'],
  ['256, ours the last', Buffer.concat([Buffer.alloc(255, 2), Buffer.of(1, 0)]), 'PT_EXTOR'],
  ['256 without an end', Buffer.alloc(256, 1), 'PT_EXTOR'],
])('EXT-1: a server that offers %s as authentication types is %s %s', async (_, authTypes, code) => {
  await expect(meet({ authTypes })).rejects.toMatchObject({ code })
})

test('EXT-1: SAFE_COOKIE is found behind 254 other types', async () => {
  await meet({ authTypes: Buffer.concat([Buffer.alloc(254, 2), Buffer.of(1, 0)]) })
})

test('EXT-1: a server with a wrong hash is PT_EXTOR_AUTH, and our own hash is not sent', async () => {
  const [near, far] = pair()
  const connected = connectExtOrPort(near, { cookieFile: cookieFile() })
  const outcome = expect(connected).rejects.toMatchObject({ code: 'PT_EXTOR_AUTH' })
  const received: Buffer[] = []
  far.on('data', (chunk: Buffer) => received.push(chunk))
  far.write(Buffer.concat([Buffer.of(1, 0), Buffer.alloc(64, 7)]))
  await outcome
  expect(Buffer.concat(received).length).toBe(1 + 32)
  shows('EXT-1')
})

test('EXT-1: a hash that is wrong in one bit anywhere is refused', async () => {
  for (let bit = 0; bit < 256; bit += 15) {
    const held = Buffer.from(cookie)
    held[bit >> 3]! ^= 1 << (bit & 7)
    await expect(meet({ cookie: held })).rejects.toMatchObject({ code: 'PT_EXTOR_AUTH' })
  }
})

test.each([0, 2, 255])('EXT-1: the status %d is PT_EXTOR_AUTH', async (status) => {
  await expect(meet({ status: Buffer.of(status) })).rejects.toMatchObject({ code: 'PT_EXTOR_AUTH' })
})

test('EXT-1, EXT-2: the end of the connection at any point is an error; in place of the status it is PT_EXTOR_AUTH', async () => {
  const path = cookieFile()
  for (let cut = 0; cut < 2 + 64 + 1 + 4; cut++) {
    const code = cut === 2 + 64 ? 'PT_EXTOR_AUTH' : 'PT_CLOSED'
    await expect(meet({ cut }, {}, path)).rejects.toMatchObject({ code })
  }
})

test('EXT-1: the cookie is read anew for each connection', async () => {
  const path = cookieFile()
  await meet({}, {}, path)
  const next = Buffer.alloc(32, 9)
  writeFileSync(path, formatCookie(next))
  await expect(meet({}, {}, path)).rejects.toMatchObject({ code: 'PT_EXTOR_AUTH' })
  await meet({ cookie: next }, {}, path)
})

test('EXT-1: without a cookie nothing is sent', async () => {
  const [near, far] = pair()
  far.write(Buffer.of(1, 0))
  await expect(connectExtOrPort(near, { cookieFile: '/nowhere' })).rejects.toMatchObject({ code: 'PT_EXTOR_AUTH' })
  expect(far.readableLength).toBe(0)
})

test('SENV-11: what cannot be said of a client is an error before anything is sent, and the error does not repeat it', async () => {
  for (const request of [{ userAddr: '198.51.100.7' }, { userAddr: 'client.example:1' }, { transport: 'no-name' }]) {
    const [near, far] = pair()
    const connected = connectExtOrPort(near, { cookieFile: cookieFile(), ...request })
    await expect(connected).rejects.toThrow(/^(?!.*(198|client\.example))/)
    expect(far.readableLength).toBe(0)
  }
})

test('EXT-1: a silent server is PT_TIMEOUT after the one deadline of the handshake', async () => {
  const [near] = pair()
  const connected = connectExtOrPort(near, { cookieFile: cookieFile(), handshakeTimeout: 30 })
  await expect(connected).rejects.toMatchObject({ code: 'PT_TIMEOUT' })
  expect(near.destroyed).toBe(true)
})

test('EXT-2: an abort ends the wait for OKAY at once, and a reset is no crash', async () => {
  const [near, far] = pair()
  const controller = new AbortController()
  const connected = connectExtOrPort(near, { cookieFile: cookieFile() }, controller.signal)
  await playServer(far, { reply: Buffer.of(0x10) })
  controller.abort(new Error('hung up'))
  await expect(connected).rejects.toThrow('hung up')

  const [second] = pair()
  const failing = connectExtOrPort(second, { cookieFile: cookieFile() })
  second.destroy(new Error('ECONNRESET'))
  await expect(failing).rejects.toThrow('ECONNRESET')
})

test('EXT-1: a server of random bytes never has a PT say its hash, crash or hang', async () => {
  const path = cookieFile()
  for (let round = 0; round < 100; round++) {
    const [near, far] = pair()
    const connected = connectExtOrPort(near, { cookieFile: path })
    const outcome = expect(connected).rejects.toMatchObject({ name: 'PtError' })
    far.end(Buffer.from(Array.from({ length: round }, () => Math.floor(Math.random() * 256))))
    await outcome
    expect((await readExactly(far, 34).catch(() => Buffer.alloc(0))).length).toBe(0)
  }
})
