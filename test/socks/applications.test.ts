/** The SOCKS port of a tunnel, whose clients are applications: nobody has to log in, and an HTTP client is told where it is. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { peer } from '../support.ts'
import { serve } from '../bridges/bridges.ts'
import { createServer } from 'node:net'
import { PtError } from '../../src/error.ts'
import { acceptSocks } from '../../src/socks/index.ts'
import { converse, hex, openSockets } from './dialogue.ts'

const GREETING_PASSWORD_ONLY = '05 01 02'
const REQUEST = '05 01 00 01 7f000001 0050'
const WELCOME = '05 02 01 00 05 00 00 01 00000000 0000'

describe.each([false, true])('a port of applications, bytes one by one: %s', (oneByOne) => {
  const chunks = (bytes: Buffer): Uint8Array[] => (oneByOne ? [...bytes].map((byte) => Uint8Array.of(byte)) : [bytes])

  test.each([
    ['a user and a password', '01 02 6d65 02 7077'],
    ['a user that reads as arguments', '01 03 613d62 01 00'],
    ['what arguments may not hold', '01 03 3d3d5c 02 ff5c'],
    ['an empty password', '01 02 6d65 00'],
    ['nothing at all', '01 00 00'],
    ['255 bytes each', `01 ff ${'61'.repeat(255)} ff ${'62'.repeat(255)}`],
  ])('takes any login: %s, which is no list of arguments', async (_, login) => {
    const bytes = hex(`${GREETING_PASSWORD_ONLY} ${login} ${REQUEST} 2a2b`)
    const { received, request } = await converse(await openSockets(), chunks(bytes), {
      applications: true,
      prefer: 'none',
      fin: true,
    })
    expect(request).toMatchObject({ version: 5, target: '127.0.0.1:80' })
    expect([...request!.args]).toEqual([])
    // The surplus bytes are the application's, and come back.
    expect(received.toString('hex')).toBe(hex(`${WELCOME} 2a2b`).toString('hex'))
  })

  test('takes any user id of SOCKS 4', async () => {
    const bytes = hex('04 01 0050 7f000001 3d3d5c 00')
    const { received, request } = await converse(await openSockets(), chunks(bytes), { applications: true, fin: true })
    expect([request!.target, [...request!.args]]).toEqual(['127.0.0.1:80', []])
    expect(received.toString('hex')).toBe('005a000000000000')
  })

  test.each(['GET http://example.com/ HTTP/1.1\r\n\r\n', 'CONNECT example.com:443 HTTP/1.1\r\n\r\n'])(
    'answers %j with words, and says so in its error',
    async (request) => {
      const { received, error } = await converse(await openSockets(), chunks(Buffer.from(request)), {
        applications: true,
      })
      expect(received.toString()).toMatch(
        /^HTTP\/1\.0 501 This is a SOCKS port, not an HTTP proxy\r\n[\s\S]*\r\n\r\nThis is/,
      )
      expect(error).toMatchObject({ code: 'PT_SOCKS', message: expect.stringContaining('an HTTP client?') as unknown })
    },
  )
})

test('the SOCKS port of a PT still reads arguments, and says nothing to an HTTP client', async () => {
  const bad = await converse(await openSockets(), [hex(`${GREETING_PASSWORD_ONLY} 01 02 3d3d 01 00`)])
  expect([bad.received.toString('hex'), bad.error]).toEqual(['05020101', expect.objectContaining({ code: 'PT_ARGS' })])
  const http = await converse(await openSockets(), [Buffer.from('GET / HTTP/1.1\r\n\r\n')])
  expect([http.received.length, http.error]).toEqual([0, expect.objectContaining({ code: 'PT_SOCKS' })])
})

test('a port that wants a password lets no other login in', async () => {
  const wrong = await converse(await openSockets(), [hex(`${GREETING_PASSWORD_ONLY} 01 02 6d65 02 7077`)], {
    applications: true,
    password: 'correct horse',
  })
  expect([wrong.received.toString('hex'), wrong.error]).toEqual([
    '05020101',
    expect.objectContaining({ code: 'PT_DENIED' }),
  ])
})

test.each([1, 2, 3, 4, 5, 6, 7, 8, 0x5b, 255])(
  'a refusal with reply %i of another server is passed on as it is',
  async (reply) => {
    const { received } = await converse(await openSockets(), [hex(`05 01 00 ${REQUEST}`)], {
      applications: true,
      answer: (request) => request.refuse(new PtError('PT_SOCKS_REFUSED', 'refused'), reply),
    })
    expect(received[3]).toBe(reply)
  },
)

test('curl that takes the port for an HTTP proxy shows why it does not work', async (context) => {
  const port = await serve(
    createServer((conn) => void acceptSocks(conn, { applications: true }).catch(() => undefined)),
  )
  const child = spawn(peer('curl', context), ['-s', '-x', `http://127.0.0.1:${port}`, 'http://example.com/'])
  const [page] = await Promise.all([text(child.stdout), once(child, 'close')])
  expect(page).toContain('enter it as the SOCKS 5 host')
})
