/** `postern hello capture` beside a client that sends a browser's hellos, and `postern hello show`. */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { connect as connectNodeTls } from 'node:tls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { chainHash, connectTls, formatProfile, parseProfile, profiles, TicketStore } from '../../src/tls/index.ts'
import type { ProfileName } from '../../src/tls/index.ts'
import { profileDifferences } from '../../src/tls/hellos/compare.ts'
import { browserName } from '../../src/cli/hello/browser-name.ts'
import { show } from '../../src/cli/hello/show.ts'
import { captured } from '../tls/client-hello.ts'
import { failureOf, root, tempDir } from '../support.ts'
import { postern } from './postern.ts'

const userAgent =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36'

interface Capture {
  readonly port: number
  readonly child: ChildProcess
  /** Resolves when it has ended. */
  readonly ended: Promise<{ status: number | null; stdout: string; stderr: string }>
}

/** Starts a capture, which is ended with the test. */
async function startCapture(...flags: string[]): Promise<Capture> {
  const args = [`${root}dist/cli/main.js`, 'hello', 'capture', ...flags]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let stderr = ''
  const port = new Promise<number>((resolve, reject) => {
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString()
      const found = /http:\/\/localhost:(\d+)\//.exec(stderr)?.[1]
      if (found !== undefined) resolve(Number(found))
    })
    child.once('close', () => reject(new Error(`it ended: ${stderr}`)))
  })
  const ended = Promise.all([text(child.stdout), once(child, 'close')]).then(([stdout]) => {
    return { status: child.exitCode, stdout, stderr }
  })
  return { port: await port, child, ended }
}

async function conn(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  return socket
}

interface Status {
  readonly seen: number
  readonly needed: number
  readonly done: boolean
}

async function ask(port: number, path: string): Promise<string> {
  const [response] = (await once(get({ port, path, headers: { 'user-agent': userAgent } }), 'response')) as [
    NodeJS.ReadableStream,
  ]
  return await text(response)
}

async function status(port: number): Promise<Status> {
  return JSON.parse(await ask(port, '/status')) as Status
}

/** Sends hellos until the capture says that it is done. Every second one is a repeat visit, if `pin` lets the visits succeed. */
async function visit(port: number, profile: ProfileName, pin: Uint8Array): Promise<void> {
  const tickets = new TicketStore()
  for (let n = 0; n < 200; n++) {
    const options = { servername: 'localhost', profile, pin, ...(n % 2 === 0 ? {} : { tickets }) }
    const tls = await connectTls(await conn(port), options).catch(() => undefined)
    // The answer comes after the tickets.
    if (tls !== undefined) tls.end('GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n')
    if (tls !== undefined) await text(tls).catch(() => undefined)
    if ((await status(port)).done) return
  }
  throw new Error('it wants more than 200 hellos')
}

/** The hash of the certificate that the listener has made for itself. */
async function pinOf(port: number): Promise<Uint8Array> {
  const tls = connectNodeTls({ port, host: '127.0.0.1', servername: 'localhost', rejectUnauthorized: false })
  await once(tls, 'secureConnect')
  const pin = chainHash([tls.getPeerCertificate().raw])
  tls.destroy()
  return pin
}

describe('postern hello capture', () => {
  test('makes the profile of a browser out of its hellos, of first and of repeat visits, and ends', async () => {
    const file = join(tempDir(), 'chromium.json')
    const capture = await startCapture('--out', file)
    expect(await ask(capture.port, '/')).toContain('new WebSocket')
    await visit(capture.port, 'chromium-websocket', await pinOf(capture.port))
    expect(await capture.ended).toMatchObject({ status: 0, stdout: '' })
    const profile = parseProfile(readFileSync(file, 'utf8'))
    expect(profile).toMatchObject({
      name: 'chromium-156-websocket',
      browser: 'Chromium',
      version: '156.0.0.0',
      platform: 'X11; Linux x86_64',
    })
    expect(profileDifferences(profiles['chromium-websocket'], profile)).toEqual([])
    expect(readFileSync(file, 'utf8')).not.toContain('localhost')
  })

  test('without visits that succeed it says what was not seen; noise, other programs and silence do not disturb it', async () => {
    const capture = await startCapture('--form', 'page', '--name', 'my-own')
    for (const bytes of ['\0', '\x16\x03\x01\xff\xff\x01\0\xff\xff', '\x16\x03\x01\0\x05\x02\0\0\x01\0', 'GET']) {
      ;(await conn(capture.port)).on('error', () => undefined).write(bytes, 'latin1')
    }
    await pinOf(capture.port)
    await visit(capture.port, 'firefox', Buffer.alloc(32))
    const { status, stdout, stderr } = await capture.ended
    expect(status).toBe(0)
    const profile = parseProfile(stdout)
    expect(profile.name).toBe('my-own')
    expect(profileDifferences(profiles.firefox, profile)).toEqual([])
    expect(stderr).toContain('Not seen, and taken from what is known of the nearest browser: what a second visit sends')
  })

  test.each<[string, string[], NodeJS.Signals | undefined]>([
    ['its time is over', ['--timeout', '1'], undefined],
    ['it is interrupted', [], 'SIGINT'],
  ])('without enough hellos there is no profile and no file when %s', async (_, flags, signal) => {
    const file = join(tempDir(), 'profile.json')
    const capture = await startCapture('--out', file, ...flags)
    expect(existsSync(file)).toBe(true)
    if (signal !== undefined) capture.child.kill(signal)
    const { status, stdout, stderr } = await capture.ended
    expect([status, stdout, existsSync(file)]).toEqual([1, '', false])
    expect(stderr).toContain('ended with 0 of 15 hellos, so there is no profile')
  })

  test('a file that is there is not written over, and a folder that is not there is said', () => {
    const file = join(tempDir(), 'profile.json')
    writeFileSync(file, 'mine')
    expect(postern(['hello', 'capture', '--out', file])).toMatchObject({ status: 2, stdout: '' })
    expect(readFileSync(file, 'utf8')).toBe('mine')
    expect(postern(['hello', 'capture', '--out', `${file}/x/y`]).stderr).toContain('postern: --out: the file cannot')
    expect(postern(['hello', 'capture', '--out', '/nonexistent/x']).stderr).toContain('--out: there is no such folder')
  })
})

describe('postern hello show', () => {
  const save = (bytes: string | Buffer): string => {
    const path = join(tempDir(), 'file')
    writeFileSync(path, bytes)
    return path
  }

  test('explains a hello, in bytes and in hex, with and without the header of its record', async () => {
    const bytes = captured('chromium-156-websocket-psk')
    const shown = await show(save(bytes))
    expect(shown).toContain('a ClientHello of 2240 bytes')
    expect(shown).toMatch(/^JA3 {2,}c624c3dbc647f37f197e9211abaad1c5$/m)
    expect(shown).toMatch(/^JA4 {2,}t13d1517h1_8daaf6152771_c4a234726a38$/m)
    expect(shown).toMatch(
      /^supported_groups {2,}grease, 11ec X25519MLKEM768, 001d x25519, 0017 secp256r1, 0018 secp384r1$/m,
    )
    expect(shown).toMatch(/^name of the host {2,}14 letters, not shown$/m)
    expect(shown).toMatch(/^visit {2,}a repeat one, with a ticket; pre_shared_key has 303 bytes$/m)
    expect(shown).toContain(
      'of this program is chromium-156-websocket, of Chromium 156.0.8078.114. There is no difference.',
    )
    expect(shown).not.toContain('bridge')
    for (const same of [bytes.subarray(5), bytes.toString('hex'), bytes.toString('hex').replace(/(..)/g, '$1:\n')]) {
      expect(await show(save(same))).toBe(shown)
    }
  })

  test('says how a hello differs from the nearest profile', async () => {
    const shown = await show(save(captured('lyrebird-0.8.1-webtunnel-hellochrome_auto')))
    expect(shown).toMatch(/^JA4 {2,}t13d1516h2_8daaf6152771_e5627efa2ab1$/m)
    expect(shown).toContain('nearest profile of this program is chromium-156-websocket')
    expect(shown).toMatch(
      /\n {2}key_share\n {4}there {2}grease of 1 bytes, 11ec X25519MLKEM768 of 1216 bytes, .*\n {4}here {3}grease of/,
    )
  })

  test.each(Object.keys(profiles) as (keyof typeof profiles)[])('explains the profile %s', async (name) => {
    const profile = profiles[name]
    const shown = await show(save(formatProfile(profile)))
    expect(shown).toContain(`the profile ${profile.name}\n`)
    expect(shown).toMatch(/^JA4 {2,}t13d/m)
    expect(shown.includes('another one for each connection')).toBe(profile.permuted)
    expect(shown).toContain('There is no difference.')
    for (const line of shown.split('\n')) expect(line.length).toBeLessThan(190)
  })

  test.each<[string, string | Buffer, string]>([
    ['an empty file', '', 'the ClientHello cannot be read: its message is malformed'],
    ['a text', 'hello', 'the ClientHello cannot be read: it is another message'],
    [
      'a hello that is cut off',
      captured('firefox-153esr').subarray(0, 700),
      'the ClientHello cannot be read: it is cut off',
    ],
    ['a file of JSON that is no profile', '{"a": 1}', 'the profile cannot be used: name is missing'],
    ['a file of JSON that is cut off', '{"a": ', 'the profile cannot be used: it is no JSON'],
  ])('%s is one error', async (_, bytes, message) => {
    const error = await failureOf(show(save(bytes)))
    expect(error).toMatchObject({ code: 'PT_PROFILE' })
    expect(error.message).toContain(message)
  })

  test('what a profile says of itself cannot move the cursor', async () => {
    const text = formatProfile(profiles.firefox).replace('Firefox ESR', String.raw`\u001b[2J`)
    expect((await failureOf(show(save(text)))).message).toContain('browser has to be a text of 1 to 200 printable')
  })
})

test.each<[string[], string]>([
  [['hello'], 'hello: expected capture or show'],
  [['hello', 'shwo'], 'hello: there is no shwo; is show meant?'],
  [['hello', 'show'], 'hello show: there is no FILE'],
  [['hello', 'show', 'a', 'b'], 'Unexpected argument "b"'],
  [['hello', 'show', '--out', 'x', 'a'], '--out is for hello capture only'],
  [['hello', 'capture', 'a'], 'Unexpected argument "a"'],
  [['hello', 'capture', '--form', 'image'], '--form: expected websocket or page'],
  [['hello', 'capture', '--name', 'a b'], '--name: expected a name of 1 to 64 letters'],
  [['hello', 'capture', '--port', '65536'], '--port: expected a whole number from 0 to 65535'],
  [['hello', 'capture', '--timeout', '0'], '--timeout: expected a whole number from 1 to 3600'],
  [['hello', 'capture', '--frobnicate'], "Unknown option '--frobnicate'"],
])('%j is a mistake that it names, with status 2', (args, message) => {
  const { status, stdout, stderr } = postern(args)
  expect([status, stdout]).toEqual([2, ''])
  expect(stderr.split('\n')[0]).toContain(message)
  expect(stderr).toContain('Try: postern hello --help')
})

test('a file that cannot be shown is status 1', () => {
  expect(postern(['hello', 'show', '/nonexistent'])).toMatchObject({
    status: 1,
    stdout: '',
    stderr: 'postern: the profile cannot be used: there is no such file\n',
  })
})

test.each([
  [userAgent, 'Chromium', '156.0.0.0', 'X11; Linux x86_64'],
  [
    'Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0',
    'Firefox',
    '153.0',
    'X11; Linux x86_64; rv:153.0',
  ],
  [
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0',
    'Edge',
    '156.0.0.0',
    'Windows NT 10.0; Win64; x64',
  ],
  [
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15',
    'Safari',
    '26.1',
    'Macintosh; Intel Mac OS X 10_15_7',
  ],
  ['curl/8.0', 'unknown', 'unknown', 'unknown'],
  ['', 'unknown', 'unknown', 'unknown'],
  ['Mozilla/5.0 (\u001b[2J) Firefox/1\u001b[2J', 'Firefox', '1', 'unknown'],
])('%j is of %s %s, %s', (given, browser, version, platform) => {
  expect(browserName(given)).toEqual({ browser, version, platform })
})
