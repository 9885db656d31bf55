import { resolve } from 'node:path'
import { launchClient, launchServer } from 'postern/parent'
import { expect, onTestFinished, test } from 'vitest'
import { isAlive, tempDir } from '../support.ts'
import { Events, fixture } from './fixtures.ts'
import { shows } from '../shows.ts'

const destination = { type: 'orPort', address: { host: '127.0.0.1', port: 9001 } } as const

/** Sets variables of this process, as they would be inherited, until the test has finished. */
function inherit(variables: Record<string, string>): void {
  for (const [name, value] of Object.entries(variables)) {
    process.env[name] = value
    onTestFinished(() => {
      delete process.env[name]
    })
  }
}

/** The environment that the PT found, as it tells it. */
function told(events: Events): Record<string, string> {
  const pairs = events
    .of('log')
    .map(({ message }) => [message.slice(0, message.indexOf('=')), message.slice(message.indexOf('=') + 1)])
  return Object.fromEntries(pairs) as Record<string, string>
}

function ofPt(env: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith('TOR_PT_')))
}

async function clientEnvironment(
  options: Partial<Parameters<typeof launchClient>[0]> = {},
): Promise<Record<string, string>> {
  const events = new Events()
  const launched = {
    exec: fixture('environment'),
    transports: ['a', 'b'],
    stateDir: tempDir(),
    onEvent: events.onEvent,
  }
  await using pt = await launchClient({ ...launched, ...options })
  expect(pt.methods.size).toBe(1)
  return told(events)
}

async function serverEnvironment(
  options: Partial<Parameters<typeof launchServer>[0]> = {},
): Promise<Record<string, string>> {
  const events = new Events()
  const launched = {
    exec: fixture('environment'),
    transports: [{ name: 'a' }],
    stateDir: tempDir(),
    onEvent: events.onEvent,
  }
  await using pt = await launchServer({ ...launched, ...(options.onConnection ? {} : { destination }), ...options })
  expect(pt.methods.size).toBe(1)
  return told(events)
}

test('FLOW-1, ENV-1, ENV-4, CENV-1, CENV-5, STOP-1: a client is told exactly what the options say', async () => {
  const stateDir = tempDir()
  expect(ofPt(await clientEnvironment({ stateDir }))).toEqual({
    TOR_PT_MANAGED_TRANSPORT_VER: '1',
    TOR_PT_STATE_LOCATION: stateDir,
    TOR_PT_EXIT_ON_STDIN_CLOSE: '1',
    TOR_PT_CLIENT_TRANSPORTS: 'a,b',
  })
  shows('FLOW-1', 'ENV-1', 'ENV-4', 'CENV-1', 'CENV-5')
})

test('CENV-5: TOR_PT_ variables of this process are not inherited, others are', async () => {
  inherit({
    TOR_PT_PROXY: 'socks5://192.0.2.1:1',
    TOR_PT_SERVER_TRANSPORTS: 'x',
    tor_pt_proxy: 'x',
    POSTERN_TEST: 'kept',
  })
  const env = await clientEnvironment()
  expect(Object.keys(env).filter((name) => /^tor_pt_(?:proxy|server)/i.test(name))).toEqual([])
  expect(env).toMatchObject({ POSTERN_TEST: 'kept', PATH: process.env['PATH'] })
})

test('an environment that is given replaces that of this process', async () => {
  inherit({ POSTERN_TEST: 'kept' })
  const env = await clientEnvironment({ env: { GIVEN: 'yes' } })
  expect(env).toMatchObject({ GIVEN: 'yes', TOR_PT_CLIENT_TRANSPORTS: 'a,b' })
  expect(env).not.toHaveProperty('POSTERN_TEST')
})

test.each(['TOR_PT_PROXY', 'TOR_PT_STATE_LOCATION', 'Tor_Pt_X'])(
  'PT_ENV: %s in a given environment is refused',
  async (name) => {
    await expect(clientEnvironment({ env: { [name]: '1' } })).rejects.toMatchObject({ code: 'PT_ENV' })
  },
)

test.each<readonly [variable: string, launch: () => Promise<unknown>]>([
  ['TOR_PT_STATE_LOCATION', () => clientEnvironment({ stateDir: '/tmp/a\0b' })],
  ['GIVEN', () => clientEnvironment({ env: { GIVEN: 'hunter2\0' } })],
  [
    'TOR_PT_SERVER_TRANSPORT_OPTIONS',
    () => serverEnvironment({ transports: [{ name: 'a', options: { key: 'hunter2\0' } }] }),
  ],
])(
  'PT_ENV: a NUL in %s is found before the system finds it, and the value is not repeated',
  async (variable, launch) => {
    const error = await launch().catch((error: unknown) => error)
    expect(error).toMatchObject({ code: 'PT_ENV', message: `${variable} holds a NUL, which no variable can` })
    expect(error).not.toHaveProperty('cause')
  },
)

test('PROXY-2: a proxy is handed on as a URI, and so are source addresses', async () => {
  const proxy = {
    protocol: 'socks5',
    address: { host: '2001:db8::1', port: 1080 },
    user: 'tor',
    password: 'p@ss',
  } as const
  const env = await clientEnvironment({ proxy, outboundBind: { v4: '192.0.2.7', v6: '2001:db8::7' } })
  expect(env).toMatchObject({
    TOR_PT_PROXY: 'socks5://tor:p%40ss@[2001:db8::1]:1080',
    TOR_PT_OUTBOUND_BIND_ADDRESS_V4: '192.0.2.7',
    TOR_PT_OUTBOUND_BIND_ADDRESS_V6: '[2001:db8::7]',
  })
  expect(await clientEnvironment({ proxy: 'http://127.0.0.1:80' })).toMatchObject({
    TOR_PT_PROXY: 'http://127.0.0.1:80',
  })
})

test('SENV-1, SENV-4, SENV-7, SENV-9: names, addresses and options of a server, each in the order of the transports', async () => {
  const transports = [
    { name: 'b', bindAddress: '[::1]:1984', options: { key: 'a:b;c\\d', 'iat-mode': '1' } },
    { name: 'a', bindAddress: { host: '127.0.0.1', port: 4891 } },
    { name: 'c' },
  ]
  expect(await serverEnvironment({ transports })).toMatchObject({
    TOR_PT_SERVER_TRANSPORTS: 'b,a,c',
    TOR_PT_SERVER_BINDADDR: 'b-[::1]:1984,a-127.0.0.1:4891,c-0.0.0.0:0',
    TOR_PT_SERVER_TRANSPORT_OPTIONS: 'b:key=a\\:b\\;c\\\\d;b:iat-mode=1',
  })
  shows('SENV-1', 'SENV-4', 'SENV-7', 'SENV-9')
})

test('ENV-1, SENV-5, SENV-12, SENV-14: a server without options and without ExtORPort', async () => {
  const stateDir = tempDir()
  expect(ofPt(await serverEnvironment({ stateDir }))).toEqual({
    TOR_PT_MANAGED_TRANSPORT_VER: '1',
    TOR_PT_STATE_LOCATION: stateDir,
    TOR_PT_EXIT_ON_STDIN_CLOSE: '1',
    TOR_PT_SERVER_TRANSPORTS: 'a',
    TOR_PT_SERVER_BINDADDR: 'a-0.0.0.0:0',
    TOR_PT_ORPORT: '127.0.0.1:9001',
    TOR_PT_EXTENDED_SERVER_PORT: '',
  })
  shows('SENV-5', 'SENV-12', 'SENV-14')
})

test('a bind address with a host name is refused (SENV-8)', async () => {
  const transports = [{ name: 'a', bindAddress: 'localhost:1' }]
  await expect(serverEnvironment({ transports })).rejects.toMatchObject({ code: 'PT_ADDRESS' })
})

test('lifecycle-stdin-001: the closing of stdin is what ends a PT, and nothing is ever written to it', async () => {
  const events = new Events()
  const pt = await launchClient({
    exec: fixture('environment'),
    transports: ['a'],
    stateDir: tempDir(),
    onEvent: events.onEvent,
  })
  expect(isAlive(events.pid)).toBe(true)
  expect(await pt.stop()).toEqual({ code: 0, signal: null, step: 'stdin' })
  expect(isAlive(events.pid)).toBe(false)
})

test('ENV-4, SENV-13: relative paths of the application are resolved before the PT is told them', async () => {
  const client = await clientEnvironment({ stateDir: 'node_modules/.postern-test' })
  expect(client['TOR_PT_STATE_LOCATION']).toBe(resolve('node_modules/.postern-test'))
  const extended = { type: 'extendedOrPort', address: destination.address, cookieFile: './cookie' } as const
  const server = await serverEnvironment({ stateDir: 'node_modules/.postern-test', destination: extended })
  expect(server['TOR_PT_STATE_LOCATION']).toBe(resolve('node_modules/.postern-test'))
  expect(server['TOR_PT_AUTH_COOKIE_FILE']).toBe(resolve('cookie'))
  await expect(clientEnvironment({ stateDir: '' })).rejects.toMatchObject({ code: 'PT_ENV' })
})
