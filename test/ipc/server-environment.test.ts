import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Args, formatServerEnvironment, readRole, readServerEnvironment, readVersion } from '../../src/ipc/index.ts'
import { addresses, argsOf, names, texts } from './arbitraries.ts'
import { shows } from '../shows.ts'

const base = {
  TOR_PT_STATE_LOCATION: '/var/lib/pt',
  TOR_PT_SERVER_TRANSPORTS: 'obfs3,scramblesuit',
  TOR_PT_ORPORT: '127.0.0.1:9001',
}
const orPort = { type: 'orPort', address: { host: '127.0.0.1', port: 9001 } } as const
const refused = (variable: string): unknown =>
  expect.objectContaining({
    code: 'PT_ENV',
    line: expect.stringMatching(new RegExp(`^ENV-ERROR ${variable} [\\x20-\\x7e]+$`)),
  })

function read(variables: Record<string, string | undefined>): ReturnType<typeof readServerEnvironment> {
  return readServerEnvironment({ ...base, ...variables })
}

describe('reading the transports', () => {
  it('SENV-3, SENV-6: each has its options and its address, in the order of TOR_PT_SERVER_TRANSPORTS', () => {
    const { transports } = read({
      TOR_PT_SERVER_TRANSPORT_OPTIONS: 'scramblesuit:key=banana;scramblesuit:mode=2',
      TOR_PT_SERVER_BINDADDR: 'scramblesuit-[::1]:4891,obfs3-198.51.100.1:1984',
    })
    expect(transports.map(({ name, bindAddress, options }) => [name, bindAddress, options.toJSON()])).toEqual([
      ['obfs3', { host: '198.51.100.1', port: 1984 }, []],
      [
        'scramblesuit',
        { host: '::1', port: 4891 },
        [
          ['key', 'banana'],
          ['mode', '2'],
        ],
      ],
    ])
    shows('SENV-3', 'SENV-6')
  })

  it('SENV-2: names that were not requested are passed over in addresses and options', () => {
    const { transports } = read({ TOR_PT_SERVER_TRANSPORT_OPTIONS: 'x:k=v', TOR_PT_SERVER_BINDADDR: 'x-127.0.0.1:1' })
    expect(transports).toEqual([
      { name: 'obfs3', options: Args.none, bindAddress: undefined },
      { name: 'scramblesuit', options: Args.none, bindAddress: undefined },
    ])
  })

  it.each([undefined, '', ','])('SENV-1, PT_ENV: the list %j names nothing', (list) => {
    expect(() => read({ TOR_PT_SERVER_TRANSPORTS: list })).toThrow(refused('TOR_PT_SERVER_TRANSPORTS'))
  })

  it.each([
    'obfs3',
    'obfs3-',
    '-127.0.0.1:1',
    'obfs3-127.0.0.1',
    'obfs3-127.0.0.1:',
    'obfs3-127.0.0.1:1,',
    ',',
    'obfs3:127.0.0.1-1',
  ])('SENV-6, PT_ENV: the bind addresses %j are malformed', (list) =>
    expect(() => read({ TOR_PT_SERVER_BINDADDR: list })).toThrow(refused('TOR_PT_SERVER_BINDADDR')),
  )

  it.each(['obfs3-localhost:1', 'obfs3-example.com:1', 'obfs3-[localhost]:1'])(
    'SENV-8, PT_ENV: %s has a host name',
    (list) => {
      expect(() => read({ TOR_PT_SERVER_BINDADDR: list })).toThrow(refused('TOR_PT_SERVER_BINDADDR'))
      shows('SENV-8')
    },
  )

  it.each([
    'obfs3-127.0.0.1:1,obfs3-127.0.0.1:2',
    'obfs3-127.0.0.1:1,obfs3-127.0.0.1:1',
    'x-127.0.0.1:1,x-127.0.0.1:1',
  ])('SENV-9, PT_ENV: %s has two addresses for one name', (list) =>
    expect(() => read({ TOR_PT_SERVER_BINDADDR: list })).toThrow(refused('TOR_PT_SERVER_BINDADDR')),
  )

  it.each(['obfs3', 'obfs3:k', 'obfs3:k=v;', 'obfs3:k=secret\\'])(
    'SENV-3, PT_ENV: the options %j are malformed',
    (options) => {
      expect(() => read({ TOR_PT_SERVER_TRANSPORT_OPTIONS: options })).toThrow(
        refused('TOR_PT_SERVER_TRANSPORT_OPTIONS'),
      )
    },
  )

  it('ERR-1: no option is repeated in the error, as it may be a secret', () => {
    expect(() => read({ TOR_PT_SERVER_TRANSPORT_OPTIONS: 'obfs3:key=hunter2\\' })).toThrow(
      expect.objectContaining({ line: expect.not.stringContaining('hunter2') }),
    )
  })
})

describe('reading the destination', () => {
  const extended = { TOR_PT_EXTENDED_SERVER_PORT: '127.0.0.1:4200', TOR_PT_AUTH_COOKIE_FILE: '/var/lib/tor/cookie' }

  it.each([
    ['[::1]:9001', '::1', 9001],
    ['127.0.0.1:9001', '127.0.0.1', 9001],
  ])('TOR_PT_ORPORT=%s is read', (text, host, port) => {
    expect(read({ TOR_PT_ORPORT: text }).destination).toEqual({ type: 'orPort', address: { host, port } })
  })

  it('SENV-11: the extended port is preferred where both are set', () => {
    const destination = {
      type: 'extendedOrPort',
      address: { host: '127.0.0.1', port: 4200 },
      cookieFile: '/var/lib/tor/cookie',
    }
    expect(read(extended).destination).toEqual(destination)
    expect(read({ ...extended, TOR_PT_ORPORT: undefined }).destination).toEqual(destination)
  })

  it('SENV-12: an empty TOR_PT_EXTENDED_SERVER_PORT is one that is not set', () => {
    expect(read({ TOR_PT_EXTENDED_SERVER_PORT: '' }).destination).toEqual(orPort)
  })

  it.each([
    ['TOR_PT_ORPORT', { TOR_PT_ORPORT: undefined }],
    ['TOR_PT_ORPORT', { TOR_PT_ORPORT: '', TOR_PT_EXTENDED_SERVER_PORT: '' }],
    ['TOR_PT_ORPORT', { TOR_PT_ORPORT: 'localhost:9001' }],
    ['TOR_PT_ORPORT', { TOR_PT_ORPORT: '127.0.0.1:0' }],
    ['TOR_PT_EXTENDED_SERVER_PORT', { ...extended, TOR_PT_EXTENDED_SERVER_PORT: '127.0.0.1' }],
    ['TOR_PT_EXTENDED_SERVER_PORT', { ...extended, TOR_PT_EXTENDED_SERVER_PORT: '127.0.0.1:0' }],
  ])('SENV-11, PT_ENV: %s is refused for %j', (variable, variables) => {
    expect(() => read(variables)).toThrow(refused(variable))
  })

  it.each([undefined, ''])('SENV-13, PT_ENV: with the extended port, %j is no cookie file', (path) => {
    expect(() => read({ ...extended, TOR_PT_AUTH_COOKIE_FILE: path })).toThrow(refused('TOR_PT_AUTH_COOKIE_FILE'))
    shows('SENV-13')
  })

  it('a cookie file without the extended port is passed over', () => {
    expect(read({ TOR_PT_AUTH_COOKIE_FILE: 'relative' }).destination).toEqual(orPort)
  })
})

describe('writing', () => {
  const stateDir = '/var/lib/pt'

  it('SENV-1, SENV-5, SENV-7, SENV-12, SENV-14: all that a server must be told, and no more', () => {
    const transports = [{ name: 'obfs4' }, { name: 'obfs3', bindAddress: { host: '::', port: 443 } }]
    expect(formatServerEnvironment({ transports, stateDir, destination: orPort })).toEqual({
      TOR_PT_MANAGED_TRANSPORT_VER: '1',
      TOR_PT_STATE_LOCATION: '/var/lib/pt',
      TOR_PT_EXIT_ON_STDIN_CLOSE: '1',
      TOR_PT_SERVER_TRANSPORTS: 'obfs4,obfs3',
      TOR_PT_SERVER_BINDADDR: 'obfs4-0.0.0.0:0,obfs3-[::]:443',
      TOR_PT_ORPORT: '127.0.0.1:9001',
      TOR_PT_EXTENDED_SERVER_PORT: '',
    })
  })

  it('SENV-4, SENV-13: options are escaped, and the extended port comes with its cookie', () => {
    const destination = { type: 'extendedOrPort', address: orPort.address, cookieFile: '/c' } as const
    const transports = [{ name: 'a', options: { 'k=': ':;\\' } }]
    const env = formatServerEnvironment({ transports, stateDir, destination })
    expect(env).toMatchObject({
      TOR_PT_SERVER_TRANSPORT_OPTIONS: 'a:k\\==\\:\\;\\\\',
      TOR_PT_EXTENDED_SERVER_PORT: '127.0.0.1:9001',
      TOR_PT_AUTH_COOKIE_FILE: '/c',
    })
    expect(env).not.toHaveProperty('TOR_PT_ORPORT')
  })

  it('SENV-9: a transport has one address, as it is named once, PT_NAME', () => {
    expect(() =>
      formatServerEnvironment({ transports: [{ name: 'a' }, { name: 'a' }], stateDir, destination: orPort }),
    ).toThrow(expect.objectContaining({ code: 'PT_NAME' }))
  })

  it.each([
    ['PT_ENV', { transports: [] }],
    ['PT_ADDRESS', { transports: [{ name: 'a', bindAddress: { host: 'localhost', port: 1 } }] }],
    ['PT_ADDRESS', { destination: { type: 'orPort', address: { host: 'localhost', port: 1 } } as const }],
    ['PT_ENV', { destination: { type: 'orPort', address: { host: '127.0.0.1', port: 0 } } as const }],
    ['PT_ENV', { destination: { type: 'extendedOrPort', address: orPort.address, cookieFile: 'cookie' } as const }],
    ['PT_ENV', { stateDir: 'relative' }],
    ['PT_ARGS', { transports: [{ name: 'a', options: { '': 'v' } }] }],
  ])('SENV-8, %s: %j is refused', (code, part) => {
    expect(() =>
      formatServerEnvironment({ transports: [{ name: 'a' }], stateDir, destination: orPort, ...part }),
    ).toThrow(expect.objectContaining({ code }))
  })

  it('SENV-3, SENV-6, SENV-11: what a parent writes, a server reads', () => {
    const transport = fc.record({ name: names, options: argsOf(texts), bindAddress: addresses })
    const destinations = fc.oneof(
      fc.record({ type: fc.constant('orPort' as const), address: addresses }),
      fc.record({ type: fc.constant('extendedOrPort' as const), address: addresses, cookieFile: fc.constant('/c') }),
    )
    const unique = fc.uniqueArray(transport, { selector: ({ name }) => name, minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(unique, destinations, (transports, destination) => {
        const env = formatServerEnvironment({ transports, stateDir, destination })
        expect([readVersion(env), readRole(env)]).toEqual(['1', 'server'])
        const read = readServerEnvironment(env)
        expect(read).toMatchObject({ stateDir, exitOnStdinClose: true, destination })
        const plain = (list: typeof read.transports): unknown =>
          list.map(({ name, options, bindAddress }) => [name, options.toJSON(), bindAddress])
        expect(plain(read.transports)).toEqual(plain(transports))
      }),
    )
  })
})
