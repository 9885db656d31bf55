/** The client over TLS, with HTTP/2 and without. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { constants } from 'node:http2'
import { createServer } from 'node:https'
import { listen } from 'postern/io'
import { describe, expect, onTestFinished, test } from 'vitest'
import { readExactly } from '../../../src/io/read.ts'
import { failureOf, tempDir } from '../../support.ts'
import { dial } from './scripted-front.ts'
import { credentials, h2Bytes, http2Front, trustRoot } from './secure-front.ts'

const url = 'https://server.example/path?x=1'

describe('HTTP/2', () => {
  test('is spoken to a front that has it, and carries bytes both ways whole and in order', async () => {
    trustRoot()
    const ids = new Set<string>()
    const { port, server } = await http2Front((stream, body, fields) => {
      ids.add(fields[fields.indexOf('x-session-id') + 1]!)
      stream.respond({ ':status': 200 })
      stream.end(body)
    })
    let connections = 0
    server.on('session', () => connections++)
    const stream = await dial(port, { args: { url, front: 'front.example' } })
    const bytes = randomBytes(1_000_000)
    stream.write(bytes)
    expect((await readExactly(stream, bytes.length)).equals(bytes)).toBe(true)
    expect(connections).toBe(1)
    expect([...ids]).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/)])
  })

  test.each([
    ['hellochrome_auto', [':method', ':authority', ':scheme', ':path']],
    ['hellofirefox_auto', [':method', ':path', ':authority', ':scheme']],
  ])(
    'has with utls=%s the pseudo-fields in the order of the browser, and the fields of lyrebird',
    async (utls, order) => {
      trustRoot()
      const heard: (readonly string[])[] = []
      const { port } = await http2Front((stream, _, fields) => {
        heard.push(fields)
        stream.respond({ ':status': 200 }, { endStream: true })
      })
      await dial(port, { args: { url, front: 'front.example', utls } })
      const [fields = []] = heard
      const names = fields.filter((_, at) => at % 2 === 0)
      expect(names).toEqual([...order, 'x-session-id', 'content-length', 'accept-encoding'])
      const value = (name: string): string | undefined => fields[fields.indexOf(name) + 1]
      expect([value(':method'), value(':authority'), value(':path'), value(':scheme')]).toEqual([
        'POST',
        'server.example',
        '/path?x=1',
        'https',
      ])
      expect([value('content-length'), value('accept-encoding')]).toEqual(['0', 'gzip'])
    },
  )

  test.each([
    // SETTINGS: 1 = 65,536, 2 = 0, 4 = 6,291,456, 6 = 262,144; WINDOW_UPDATE by 15,663,105.
    [
      'hellochrome_auto',
      '00001804000000000000010001000000020000000000040060000000060004000000000408000000000000ef0001',
    ],
    // SETTINGS: 1 = 65,536, 2 = 0, 4 = 131,072, 5 = 16,384; WINDOW_UPDATE by 12,517,377.
    [
      'hellofirefox_auto',
      '00001804000000000000010001000000020000000000040002000000050000400000000408000000000000bf0001',
    ],
  ])('begins with utls=%s as the browser does', async (utls, frames) => {
    trustRoot()
    const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
    const { port, bytes } = await h2Bytes(preface.length + frames.length / 2)
    const parent = new AbortController()
    const dialled = dial(port, { args: { url, front: 'front.example', utls }, signal: parent.signal })
    const begin = await bytes
    expect(begin.toString('latin1', 0, preface.length)).toBe(preface)
    expect(begin.toString('hex', preface.length, preface.length + frames.length / 2)).toBe(frames)
    parent.abort(new Error('seen enough'))
    await failureOf(dialled)
  })

  test('goes on over a new connection after GOAWAY, and repeats a request that the front says it has not looked at', async () => {
    trustRoot()
    const bodies: string[] = []
    let refused = 0
    const { port } = await http2Front((stream, body) => {
      if (String(body) === 'again' && refused++ === 0) return stream.close(constants.NGHTTP2_REFUSED_STREAM)
      bodies.push(String(body))
      stream.respond({ ':status': 200 })
      stream.end(body)
      if (body.length > 0) stream.session?.close()
    })
    const stream = await dial(port, { args: { url, front: 'front.example' } })
    for (const word of ['one', 'again', 'two']) {
      stream.write(word)
      expect(String(await readExactly(stream, word.length))).toBe(word)
    }
    expect(refused).toBe(2)
    expect(bodies.filter((body) => body !== '')).toEqual(['one', 'again', 'two'])
  })

  test.each([
    ['a reset before an answer', constants.NGHTTP2_INTERNAL_ERROR, undefined],
    ['a reset in the middle of an answer', constants.NGHTTP2_INTERNAL_ERROR, { ':status': 200, 'content-length': '5' }],
  ])('with %s ends the session, and the body is not sent again', async (_, code, head) => {
    trustRoot()
    let bodies = 0
    const { port } = await http2Front((stream, body) => {
      if (body.length === 0) return stream.respond({ ':status': 200 }, { endStream: true })
      bodies++
      if (head === undefined) return stream.close(code)
      stream.respond(head)
      stream.write('abc', () => stream.close(code))
    })
    const stream = await dial(port, { args: { url, front: 'front.example' } })
    stream.resume().write('once')
    const [error] = (await once(stream, 'error')) as [Error]
    expect(error).toMatchObject({ code: 'PT_CLOSED' })
    expect(bodies).toBe(1)
  })

  test('with a reset after the head of 65,537 bytes, and none of them, is the end that our server says', async () => {
    trustRoot()
    const { port } = await http2Front((stream, body) => {
      if (body.length === 0) return stream.respond({ ':status': 200 }, { endStream: true })
      stream.respond({ ':status': 200, 'content-length': '65537' })
      setImmediate(() => stream.close(constants.NGHTTP2_INTERNAL_ERROR))
    })
    const stream = await dial(port, { args: { url, front: 'front.example' } })
    stream.resume().write('ask')
    await once(stream, 'end')
  })

  test('is over when the stream is destroyed', async () => {
    trustRoot()
    const { port, server } = await http2Front((stream) => stream.respond({ ':status': 200 }, { endStream: true }))
    const closed = new Promise<void>((resolve) => server.on('session', (session) => session.on('close', resolve)))
    const stream = await dial(port, { args: { url, front: 'front.example' } })
    stream.destroy()
    await closed
  })
})

describe('TLS', () => {
  test('with a front that has HTTP/1.1 alone goes on with that', async () => {
    trustRoot()
    const server = createServer(credentials, (request, response) => {
      expect(request.httpVersion).toBe('1.1')
      request.pipe(response)
    })
    const { port } = await listen(server, '127.0.0.1', 0)
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    const stream = await dial(port, { args: { url, front: 'front.example' } })
    stream.write('hello')
    expect(String(await readExactly(stream, 5))).toBe('hello')
  })

  test('names the front, and the certificate has to be of the front', async () => {
    trustRoot()
    const { port } = await http2Front((stream) => stream.respond({ ':status': 200 }, { endStream: true }))
    await dial(port, { args: { url, front: 'other.example' } })
    const error = await failureOf(dial(port, { args: { url } }))
    expect(error).toMatchObject({ code: 'PT_CERTIFICATE', stage: 'certificate' })
    expect(error.message).not.toContain('server.example')
  })

  test('is resumed on a repeat visit', async () => {
    trustRoot()
    const { port, server } = await http2Front((stream) => stream.respond({ ':status': 200 }, { endStream: true }))
    const resumed: boolean[] = []
    server.on('secureConnection', (socket) => void resumed.push(socket.isSessionReused()))
    const { meekClient } = await import('../../../src/transports/meek/client.ts')
    const { clientOptions } = await import('../../launch-options.ts')
    const client = meekClient(clientOptions({ stateDir: tempDir() }))
    for (const args of [
      { url, front: 'front.example' },
      { url, front: 'front.example' },
      { url, front: 'other.example' },
    ]) {
      await dial(port, { args, client })
    }
    expect(resumed).toEqual([false, true, false])
  })
})
