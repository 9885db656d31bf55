import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  formatClientEnvironment,
  formatOutboundBind,
  readClientEnvironment,
  readOutboundBind,
  readProxy,
  readRole,
  readVersion,
} from '../../src/ipc/index.ts'
import { addresses, names } from './arbitraries.ts'
import { shows } from '../shows.ts'

const refused = (variable: string): unknown =>
  expect.objectContaining({ code: 'PT_ENV', line: expect.stringMatching(new RegExp(`^ENV-ERROR ${variable} `)) })
const proxy = { protocol: 'socks5', address: { host: '192.0.2.1', port: 1080 }, user: 'u', password: 'p' } as const

describe('reading', () => {
  const env = { TOR_PT_STATE_LOCATION: '/var/lib/pt' }

  it('CENV-2: unknown names are names like others, and stay in the order in which they came', () => {
    const { transports } = readClientEnvironment({ ...env, TOR_PT_CLIENT_TRANSPORTS: 'obfs4,*,not-a-name,obfs4,obfs2' })
    expect(transports).toEqual(['obfs4', '*', 'not-a-name', 'obfs2'])
  })

  it.each([undefined, '', ',', ',,'])('CENV-1, PT_ENV: the list %j names nothing', (list) => {
    expect(() => readClientEnvironment({ ...env, TOR_PT_CLIENT_TRANSPORTS: list })).toThrow(
      refused('TOR_PT_CLIENT_TRANSPORTS'),
    )
  })

  it.each([
    [{}, {}],
    [{ TOR_PT_OUTBOUND_BIND_ADDRESS_V4: '', TOR_PT_OUTBOUND_BIND_ADDRESS_V6: '' }, {}],
    [{ TOR_PT_OUTBOUND_BIND_ADDRESS_V4: '203.0.113.4' }, { v4: '203.0.113.4' }],
    [{ TOR_PT_OUTBOUND_BIND_ADDRESS_V6: '[2001:db8::4]' }, { v6: '2001:db8::4' }],
  ])('the outbound bind address of %j is %j', (variables, bind) => {
    expect(readOutboundBind(variables)).toEqual(bind)
    expect(readClientEnvironment({ ...env, TOR_PT_CLIENT_TRANSPORTS: 'a', ...variables }).outboundBind).toEqual(bind)
  })

  it.each([
    { TOR_PT_OUTBOUND_BIND_ADDRESS_V4: '2001:db8::4' },
    { TOR_PT_OUTBOUND_BIND_ADDRESS_V4: '203.0.113.4:0' },
    { TOR_PT_OUTBOUND_BIND_ADDRESS_V4: 'localhost' },
    { TOR_PT_OUTBOUND_BIND_ADDRESS_V6: '2001:db8::4' },
    { TOR_PT_OUTBOUND_BIND_ADDRESS_V6: '[203.0.113.4]' },
    { TOR_PT_OUTBOUND_BIND_ADDRESS_V6: '[2001:db8::4' },
    { TOR_PT_OUTBOUND_BIND_ADDRESS_V6: '[]' },
  ])('PT_ENV: %j is no address to bind to', (variables) => {
    expect(() => readOutboundBind(variables)).toThrow(refused(Object.keys(variables)[0] ?? ''))
  })

  it.each([undefined, ''])('CENV-4: without TOR_PT_PROXY (%j) there is no proxy', (uri) => {
    expect(readProxy({ TOR_PT_PROXY: uri })).toBeUndefined()
  })
})

describe('writing', () => {
  it('ENV-1, ENV-4, CENV-1: a parent sets all that a client must be told', () => {
    expect(formatClientEnvironment({ transports: ['obfs2', 'obfs4'], stateDir: '/var/lib/pt' })).toEqual({
      TOR_PT_MANAGED_TRANSPORT_VER: '1',
      TOR_PT_STATE_LOCATION: '/var/lib/pt',
      TOR_PT_EXIT_ON_STDIN_CLOSE: '1',
      TOR_PT_CLIENT_TRANSPORTS: 'obfs2,obfs4',
    })
  })

  it('CENV-5: TOR_PT_PROXY is there only where there is a proxy', () => {
    const config = { transports: ['a'], stateDir: '/var/lib/pt' }
    expect(formatClientEnvironment(config)).not.toHaveProperty('TOR_PT_PROXY')
    expect(formatClientEnvironment({ ...config, proxy })).toHaveProperty('TOR_PT_PROXY', 'socks5://u:p@192.0.2.1:1080')
  })

  it('ENV-4, PT_ENV: a state directory that is no absolute path is refused', () => {
    expect(() => formatClientEnvironment({ transports: ['a'], stateDir: 'pt_state' })).toThrow(
      expect.objectContaining({ code: 'PT_ENV' }),
    )
  })

  it('CENV-1, NAME-1: a list without names is PT_ENV, and one with a bad name PT_NAME', () => {
    const stateDir = '/var/lib/pt'
    expect(() => formatClientEnvironment({ transports: [], stateDir })).toThrow(
      expect.objectContaining({ code: 'PT_ENV' }),
    )
    expect(() => formatClientEnvironment({ transports: ['a,b'], stateDir })).toThrow(
      expect.objectContaining({ code: 'PT_NAME' }),
    )
  })

  it('PT_ENV: an outbound address that would not read back is refused', () => {
    expect(() => formatOutboundBind({ v4: 'localhost' })).toThrow(refused('TOR_PT_OUTBOUND_BIND_ADDRESS_V4'))
    expect(() => formatOutboundBind({ v6: '[::1]' })).toThrow(refused('TOR_PT_OUTBOUND_BIND_ADDRESS_V6'))
  })

  it('CENV-1, CENV-4: what a parent writes, a client reads', () => {
    const bind = fc.record({ v4: fc.ipV4(), v6: fc.ipV6() }, { requiredKeys: [] })
    const uri = fc.option(
      addresses.map((address) => Object.assign({}, proxy, { address })),
      { nil: undefined },
    )
    const config = fc.record({
      transports: fc.uniqueArray(names, { minLength: 1, maxLength: 5 }),
      stateDir: fc.string({ unit: 'grapheme-ascii' }).map((text) => `/${text}`),
      proxy: uri,
      outboundBind: bind,
      versions: fc.constantFrom(['1'], ['2', '1']),
    })
    fc.assert(
      fc.property(config, (config) => {
        const env = formatClientEnvironment(config)
        const { transports, stateDir, outboundBind } = config
        expect([readVersion(env), readRole(env)]).toEqual(['1', 'client'])
        expect(readClientEnvironment(env)).toEqual({ transports, stateDir, outboundBind, exitOnStdinClose: true })
        expect(readProxy(env)).toEqual(config.proxy)
      }),
    )
    shows('CENV-4')
  })
})
