/** A profile of the user's own, from its file to the hello that a front is shown: by each command, and by the library. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import { readUntil } from 'postern/io'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { openBridge } from '../../../src/index.ts'
import { readClientHello } from '../../../src/tls/hellos/client-hello.ts'
import { differences } from '../../../src/tls/hellos/compare.ts'
import { hellosNeeded, learnProfile } from '../../../src/tls/hellos/learn.ts'
import { sampleHello } from '../../../src/tls/hellos/sample.ts'
import { formatProfile, parseProfile, profiles } from '../../../src/tls/index.ts'
import type { Profile, ProfileExtension } from '../../../src/tls/index.ts'
import { postern, ready, start } from '../../cli/postern.ts'
import { echoed, failureOf, root } from '../../support.ts'
import type { Middlebox } from './fronts.ts'
import { host, middlebox, tlsFront } from './fronts.ts'

const folder = mkdtempSync(join(tmpdir(), 'postern-profile-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const file = join(folder, 'own.json')
let own: Profile

type Signatures = Extract<ProfileExtension, { kind: 'signature_algorithms' }>

/** What `postern hello capture` writes of a browser that is Chromium, with one scheme of signatures less. */
beforeAll(async () => {
  const built = profiles['chromium-websocket']
  const one = built.extensions.find(({ kind }) => kind === 'signature_algorithms') as Signatures
  const other: Signatures = { ...one, schemes: one.schemes.filter((scheme) => scheme !== '0601') }
  const browser: Profile = { ...built, extensions: built.extensions.with(built.extensions.indexOf(one), other) }
  const hello = async (): Promise<ReturnType<typeof readClientHello>> => readClientHello(await sampleHello(browser))
  const hellos = [await hello()]
  while (hellos.length < hellosNeeded(hellos)) hellos.push(await hello())
  const about = { browser: 'Chromium', version: '157.0', platform: 'test', date: '2026-12-01', source: 'a test' }
  const text = formatProfile(learnProfile(hellos, { name: 'chromium-157', ...about }).profile)
  writeFileSync(file, text)
  own = parseProfile(text)
})

/** A host with webtunnel behind it, and the hellos that come to it. */
async function tunnelled(): Promise<{ readonly box: Middlebox; readonly line: string }> {
  const front = await tlsFront((conn: Duplex) => {
    const letIn = (): void => {
      conn.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n')
      conn.pipe(conn)
    }
    readUntil(conn, Buffer.from('\r\n\r\n'), 16_384).then(letIn, () => conn.destroy())
  })
  const box = await middlebox(front.port, () => 'pass')
  // The line asks for another hello, which does not count.
  return { box, line: `webtunnel [2001:db8::1]:443 url=https://${host}/secret addr=127.0.0.1:${box.port} profile=node` }
}

/** The hellos are those of the file, and of nothing else. */
function requireOwn({ records }: Middlebox): void {
  expect(records).not.toHaveLength(0)
  for (const record of records) {
    const hello = readClientHello(record)
    expect(differences(hello, own)).toEqual([])
    expect(differences(hello, profiles['chromium-websocket']).map(({ field }) => field)).toEqual([
      'signature_algorithms',
    ])
  }
}

async function echoAt(listen: string): Promise<string> {
  const port = Number(/\d+$/.exec(listen)?.[0])
  const conn = connect({ port, host: '127.0.0.1' })
  onTestFinished(() => void conn.on('error', () => undefined).destroy())
  await once(conn, 'connect')
  return await echoed(conn, 'hello')
}

describe('the hello of the file is what the front sees', () => {
  test('with postern client --profile', async () => {
    const { box, line } = await tunnelled()
    const running = start('client', '--profile', file, line)
    expect(await echoAt((await ready(running, 'client')).listen)).toBe('hello')
    requireOwn(box)
  })

  test('with a tunnel of postern run whose PT is a process of its own, by a path relative to the file of tunnels; SIGHUP reads it again', async () => {
    const { box, line } = await tunnelled()
    const [tunnels, changing] = [join(folder, 'tunnels.toml'), join(folder, 'changing.json')]
    copyFileSync(file, changing)
    const lines = ['[client.web]', 'listen = "127.0.0.1:0"', 'profile = "changing.json"', 'isolate = true']
    writeFileSync(tunnels, [...lines, `bridges = ['${line}']`].join('\n'))
    const running = start('run', tunnels)
    const { listen } = await ready(running, 'web')
    expect(await echoAt(listen)).toBe('hello')
    requireOwn(box)
    // The first connection is open still, and so is the first PT.
    writeFileSync(changing, formatProfile({ ...profiles.firefox, name: 'another' }))
    running.signal('SIGHUP')
    const again = await running.next((event) => event.event === 'ready' && event['listen'] !== listen)
    expect(await echoAt(again['listen'] as string)).toBe('hello')
    expect(differences(readClientHello(box.records.at(-1)!), profiles.firefox)).toEqual([])
  })

  test('with postern bridge test --profile', async () => {
    const { box, line } = await tunnelled()
    const args = [`${root}dist/cli/main.js`, 'bridge', 'test', '--profile', file, line]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    expect(await text(child.stdout)).toContain('works')
    requireOwn(box)
  })

  test('with openBridge({ profile }) and webtunnel', async () => {
    const { box, line } = await tunnelled()
    await using bridge = await openBridge(line, { profile: own })
    expect(await echoed(await bridge.connect(), 'hello')).toBe('hello')
    requireOwn(box)
  })

  test.each(['meek', 'meek_lite'])('with openBridge({ profile }) and %s', async (name) => {
    const front = await tlsFront((conn) => conn.destroy())
    const box = await middlebox(front.port, () => 'pass')
    const line = `${name} 192.0.2.20:80 url=https://localhost:${box.port}/secret utls=none`
    await using bridge = await openBridge(line, { profile: own })
    await failureOf(bridge.connect())
    requireOwn(box)
  })
})

describe('PT_OPTION: openBridge says what is wrong with a profile', () => {
  const line = 'webtunnel [2001:db8::1]:443 url=https://bridge.example/secret'
  test.each<[string, object, string]>([
    ['a path', { profile: 'own.json' }, 'cannot be used: '],
    ['an object that is none', { profile: {} }, 'cannot be used: '],
    [
      'another program',
      { profile: profiles.firefox, exec: 'lyrebird' },
      'is for the built-in transports, and there is exec',
    ],
    [
      'other transports',
      { profile: profiles.firefox, transports: [] },
      'is for the built-in transports, and there is transports',
    ],
  ])('%s', async (_what, options, message) => {
    const error = await failureOf(openBridge(line, options))
    expect(error).toMatchObject({ code: 'PT_OPTION' })
    expect(error.message).toContain(`openBridge: the option profile ${message}`)
  })
})

test.each([
  ['/nonexistent', 'there is no such file'],
  ['/dev/zero', 'it is no ordinary file'],
  ['/dev/null', 'it is no ordinary file'],
])('ERR-1: postern pt --profile %s is one ENV-ERROR, before anything is promised', (path, why) => {
  const env = {
    TOR_PT_MANAGED_TRANSPORT_VER: '1',
    TOR_PT_STATE_LOCATION: join(folder, 'state'),
    TOR_PT_CLIENT_TRANSPORTS: 'webtunnel',
  }
  const { status, stdout } = postern(['pt', '--profile', path], env)
  expect(stdout.split('\n').filter((line) => !/^(?:VERSION|STATUS|LOG) /.test(line))).toEqual([
    `ENV-ERROR --profile: the profile cannot be used: ${why}`,
    '',
  ])
  expect(status).toBe(1)
})
