/** PT_OPTION: callers in JavaScript are told which option of which function is wrong, before anything is started. */
import { PassThrough } from 'node:stream'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  bridgeLine,
  connectBridge,
  createBridgeServer,
  formatBridgeLine,
  httpAgent,
  httpsAgent,
  launchClient,
  launchServer,
  lintBridgeLine,
  openBridge,
  parseBridgeLine,
} from '../src/index.ts'
import { lintBridgeLines, parseAllowList, startTunnelClient, startTunnelServer, testBridge } from '../src/app/index.ts'
import { runPt } from '../src/pt/index.ts'
import { acceptSocks, connectSocks } from '../src/socks/index.ts'
import { transportCases } from '../src/testing/index.ts'
import { makeConnect } from '../src/upstream/index.ts'
import { rotByN } from '../examples/rot-by-n.ts'
import { failureOf, tempDir } from './support.ts'

type Call = (...args: unknown[]) => unknown

const line = 'obfs3 192.0.2.1:1'
const milliseconds = 'a number of milliseconds from 1 to 2147480000'
const client = { exec: '/nowhere', transports: ['obfs4'], stateDir: '/nowhere' }
const server = { exec: '/nowhere', transports: [{ name: 'obfs4' }], stateDir: '/nowhere' }
const forward = { type: 'address', target: '127.0.0.1:9' }
const bridgeServer = { ...server, transport: 'obfs3', listen: '127.0.0.1:0', forward }

/** Function, arguments, and the sentence that they get. */
const table: [Call, unknown[], string][] = [
  [
    openBridge as Call,
    [],
    'openBridge: lines has to be a bridge line, what parseBridgeLine gives, or a list of them, and is undefined',
  ],
  [
    openBridge as Call,
    [5],
    'openBridge: lines has to be a bridge line, what parseBridgeLine gives, or a list of them, and is 5',
  ],
  [
    openBridge as Call,
    [[line, null]],
    'openBridge: lines has to be a bridge line, what parseBridgeLine gives, or a list of them, and is a list',
  ],
  [
    openBridge as Call,
    [{ transport: 'obfs3' }],
    'openBridge: lines has to be a bridge line, what parseBridgeLine gives, or a list of them, and is an object',
  ],
  [openBridge as Call, [line, null], 'openBridge: the options have to be an object, and are null'],
  [openBridge as Call, [line, 'exec'], 'openBridge: the options have to be an object, and are a string'],
  [
    openBridge as Call,
    [line, { connectTimeout: '5s' }],
    `openBridge: the option connectTimeout has to be ${milliseconds}, and is a string`,
  ],
  [
    openBridge as Call,
    [line, { connectTimeout: -1 }],
    `openBridge: the option connectTimeout has to be ${milliseconds}, and is -1`,
  ],
  [
    openBridge as Call,
    [line, { connectTimeout: 0 }],
    `openBridge: the option connectTimeout has to be ${milliseconds}, and is 0`,
  ],
  [
    openBridge as Call,
    [line, { connectTimeout: NaN }],
    `openBridge: the option connectTimeout has to be ${milliseconds}, and is NaN`,
  ],
  [
    openBridge as Call,
    [line, { connectTimeout: Infinity }],
    `openBridge: the option connectTimeout has to be ${milliseconds}, and is Infinity`,
  ],
  [
    openBridge as Call,
    [line, { exec: 5 }],
    'openBridge: the option exec has to be the name of a program, or a list of a program and its arguments, and is 5',
  ],
  [
    openBridge as Call,
    [line, { exec: ['pt', 5] }],
    'openBridge: the option exec has to be the name of a program, or a list of a program and its arguments, and is a list',
  ],
  [
    openBridge as Call,
    [line, { strategy: 'fastest' }],
    "openBridge: the option strategy has to be 'failover' or 'race', and is a string",
  ],
  [
    openBridge as Call,
    [line, { signal: {} }],
    'openBridge: the option signal has to be an AbortSignal, and is an object',
  ],
  [
    openBridge as Call,
    [line, { onPtEvent: 'log' }],
    'openBridge: the option onPtEvent has to be a function, and is a string',
  ],
  [
    openBridge as Call,
    [line, { restart: true }],
    'openBridge: the option restart has to be false, or an object, and is true',
  ],
  [
    openBridge as Call,
    [line, { restart: { maxDelay: '1' } }],
    'openBridge: the option restart.maxDelay has to be a number of milliseconds from 0 to 2147480000, and is a string',
  ],
  [
    openBridge as Call,
    [line, { restart: { maxRestarts: 1.5 } }],
    'openBridge: the option restart.maxRestarts has to be a whole number of at least 0, or Infinity, and is 1.5',
  ],
  [
    openBridge as Call,
    [line, { proxy: new URL('socks5://user:secret@192.0.2.1:1') }],
    'openBridge: the option proxy has to be a string, and is an object',
  ],
  [
    connectBridge as Call,
    [line, { timeout: 5 }],
    'connectBridge: there is no option timeout; there are connectTimeout, exec, halfOpen, likePt, onPassedOver, onPtEvent, open, proxy, require, restart, secrets, signal, stateDir, strategy, transports',
  ],
  [launchClient as Call, [], 'launchClient: the options have to be an object, and are undefined'],
  [launchClient as Call, [{ exec: '/nowhere', transports: ['obfs4'] }], 'launchClient: the option stateDir is missing'],
  [
    launchClient as Call,
    [{ exec: '/nowhere', stateDir: '/nowhere' }],
    'launchClient: the option transports is missing',
  ],
  [launchClient as Call, [{ ...client, exec: undefined }], 'launchClient: the option exec is missing'],
  [
    launchClient as Call,
    [{ ...client, transports: 'obfs4' }],
    'launchClient: the option transports has to be a list of names of transports, and is a string',
  ],
  [
    launchClient as Call,
    [{ ...client, transports: ['obfs4', 3] }],
    'launchClient: the option transports[1] has to be a string, and is 3',
  ],
  [
    launchClient as Call,
    [{ ...client, env: { PATH: 5 } }],
    'launchClient: the option env.PATH has to be a string, and is 5',
  ],
  [
    launchClient as Call,
    [{ ...client, require: 'some' }],
    "launchClient: the option require has to be 'all' or 'any', and is a string",
  ],
  [
    launchClient as Call,
    [{ ...client, allowRemote: 'yes' }],
    'launchClient: the option allowRemote has to be true or false, and is a string',
  ],
  [
    launchClient as Call,
    [{ ...client, outboundBind: { v4: 4 } }],
    'launchClient: the option outboundBind.v4 has to be a string, and is 4',
  ],
  [
    launchServer as Call,
    [{ ...server, transports: ['obfs4'] }],
    'launchServer: the option transports[0] has to be an object, and is a string',
  ],
  [
    launchServer as Call,
    [{ ...server, transports: [{ name: 'obfs4', port: 443 }] }],
    'launchServer: there is no option transports[0].port; there are bindAddress, name, options',
  ],
  [
    launchServer as Call,
    [{ ...server, transports: [{ bindAddress: '127.0.0.1:0' }] }],
    'launchServer: the option transports[0].name is missing',
  ],
  [
    launchServer as Call,
    [{ ...server, onConnection: {} }],
    'launchServer: the option onConnection has to be a function, and is an object',
  ],
  [createBridgeServer as Call, [server], 'createBridgeServer: listener has to be a function, and is undefined'],
  [
    createBridgeServer as Call,
    [{ ...server, transports: [5] }, () => {}],
    'createBridgeServer: the option transports[0] has to be a string, or an object, and is 5',
  ],
  [
    createBridgeServer as Call,
    [{ ...server, onConnection: () => {} }, () => {}],
    'createBridgeServer: there is no option onConnection; there are env, exec, halfOpen, implementations, maxConnections, onEvent, outboundBind, require, restart, secrets, signal, startTimeout, stateDir, stopTimeout, transports',
  ],
  [
    startTunnelClient as Call,
    [{ bridge: line, listen: '127.0.0.1:0' }],
    'startTunnelClient: the option bridge has to be what openBridge gives, and is a string',
  ],
  [
    startTunnelServer as Call,
    [{ ...bridgeServer, transports: undefined, maxConnections: 0 }],
    'startTunnelServer: the option maxConnections has to be a whole number of at least 1, and is 0',
  ],
  [
    startTunnelServer as Call,
    [{ ...bridgeServer, forward: '127.0.0.1:9' }],
    "startTunnelServer: the option forward has to be { type: 'address', target } or { type: 'socks', allow }, and is a string",
  ],
  [parseBridgeLine as Call, [undefined], 'parseBridgeLine: line has to be a string, and is undefined'],
  [lintBridgeLine as Call, [{}], 'lintBridgeLine: line has to be a string, and is an object'],
  [parseAllowList as Call, ['*:80'], 'parseAllowList: texts has to be a list of rules, and is a string'],
  [runPt as Call, [], 'runPt: the options have to be an object, and are undefined'],
  [
    runPt as Call,
    [{ transports: {} }],
    'runPt: the option transports has to be a list of transports, or a function that gives one, and is an object',
  ],
  [
    runPt as Call,
    [{ transports: [], drainTimeout: '1s' }],
    'runPt: the option drainTimeout has to be a number of milliseconds from 0 to 2147480000, and is a string',
  ],
  [
    runPt as Call,
    [{ transports: [], logLevel: 'warn' }],
    "runPt: the option logLevel has to be 'error' or 'warning' or 'notice' or 'info' or 'debug', and is a string",
  ],
  [
    transportCases as Call,
    [{ name: 'x' }],
    'transportCases: transport has to be a transport, with name, client() and server(), and is an object',
  ],
  [
    transportCases as Call,
    [rotByN, { timeout: 5 }],
    'transportCases: there is no option timeout; there are badClientArgs, badServerOptions, clientArgs, front, halfClose, outlivesConnections, patience, serverOptions, silentToProbes, userAddr',
  ],
  [httpAgent as Call, [line], 'httpAgent: bridge has to be what openBridge gives, and is a string'],
  [httpsAgent as Call, [], 'httpsAgent: bridge has to be what openBridge gives, and is undefined'],
  [bridgeLine as Call, [{ transport: 'obfs3' }], 'bridgeLine: the option address is missing'],
  [
    bridgeLine as Call,
    [{ transport: 'obfs3', address: '192.0.2.1:1', args: 'cert=x' }],
    'bridgeLine: the option args has to be an object, or pairs, of keys and values, and is a string',
  ],
  [formatBridgeLine as Call, [{ transport: 'obfs3' }], 'formatBridgeLine: the option address is missing'],
  [formatBridgeLine as Call, [line], 'formatBridgeLine: the options have to be an object, and are a string'],
  [lintBridgeLines as Call, [line], 'lintBridgeLines: lines has to be a list of strings, and is a string'],
  [lintBridgeLines as Call, [[line, 5]], 'lintBridgeLines: lines[1] has to be a string, and is 5'],
  [acceptSocks as Call, [5], 'acceptSocks: conn has to be a stream, and is 5'],
  [
    acceptSocks as Call,
    [new PassThrough(), { timeout: 5 }],
    'acceptSocks: there is no option timeout; there are applications, handshakeTimeout, password, prefer, signal',
  ],
  [
    acceptSocks as Call,
    [new PassThrough(), { prefer: 'password' }],
    "acceptSocks: the option prefer has to be 'auth' or 'none', and is a string",
  ],
  [connectSocks as Call, [undefined, {}], 'connectSocks: conn has to be a stream, and is undefined'],
  [
    connectSocks as Call,
    [new PassThrough(), { version: '5', target: 'x:1' }],
    'connectSocks: the option version has to be 4 or 5, and is a string',
  ],
  [connectSocks as Call, [new PassThrough(), { version: 5 }], 'connectSocks: the option target is missing'],
  [
    connectSocks as Call,
    [new PassThrough(), { version: 5, target: 'x:1', credentials: { name: 'me' } }],
    'connectSocks: the option credentials.user is missing',
  ],
  [
    connectSocks as Call,
    [new PassThrough(), { version: 5, target: 'x:1' }, 5],
    'connectSocks: signal has to be an AbortSignal, and is 5',
  ],
  [makeConnect as Call, [], 'makeConnect: the options have to be an object, and are undefined'],
  [
    makeConnect as Call,
    [{ proxy: 'socks5://192.0.2.1:1' }],
    'makeConnect: the option proxy has to be an object, and is a string',
  ],
  [
    makeConnect as Call,
    [{ connectTimeout: 0 }],
    `makeConnect: the option connectTimeout has to be ${milliseconds}, and is 0`,
  ],
  [
    makeConnect as Call,
    [{ outboundBind: { v4: 4 } }],
    'makeConnect: the option outboundBind.v4 has to be a string, and is 4',
  ],
  [testBridge as Call, [line, { dialer: {} }], 'testBridge: the option dialer has to be a dialer, and is an object'],
]

test.each(table.map(([call, args, message]) => ({ call, args, message })))(
  '$message',
  async ({ call, args, message }) => {
    const error = await failureOf(Promise.resolve().then(() => call(...args)))
    expect({ code: error.code, message: error.message }).toEqual({ code: 'PT_OPTION', message })
  },
)

describe('options that are right', () => {
  test('an option that is undefined is one that was left out, and every documented one is taken', async () => {
    const bridge = await openBridge(line, {
      exec: undefined,
      connectTimeout: 1_000,
      restart: false,
      strategy: 'race',
      stateDir: tempDir(),
      proxy: undefined,
      onPtEvent: () => {},
      signal: new AbortController().signal,
    })
    onTestFinished(() => bridge.close())
    expect((await failureOf(bridge.connect({ timeout: 1 } as object))).message).toBe(
      'connect: there is no option timeout; there are signal',
    )
  })

  test('a value stands in no message: it may be a secret at the wrong place', async () => {
    const secrets: [object, number?][] = [
      [{ connectTimeout: 'hunter2' }],
      [{ strategy: 'hunter2' }],
      [{ hunter2: 1 }],
      [{ 'socks5://me:hunter2@192.0.2.1': 1 }],
    ]
    const messages = await Promise.all(
      secrets.map(async ([options]) => (await failureOf(openBridge(line, options))).message),
    )
    expect(messages.filter((message) => message.includes('hunter2'))).toEqual([
      expect.stringContaining('there is no option hunter2;'),
    ])
  })
})
