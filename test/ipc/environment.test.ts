import { describe, expect, it } from 'vitest'
import { envError, readClientEnvironment, readRole, withoutPtVariables } from '../../src/ipc/index.ts'
import { shows } from '../shows.ts'

const client = { TOR_PT_STATE_LOCATION: '/var/lib/pt', TOR_PT_CLIENT_TRANSPORTS: 'a' }

const refused = (start: string): unknown =>
  expect.objectContaining({
    code: 'PT_ENV',
    line: expect.stringMatching(new RegExp(`^ENV-ERROR ${start}[\\x20-\\x7e]+$`)),
  })

describe('the role', () => {
  it.each([
    ['client', { TOR_PT_CLIENT_TRANSPORTS: 'a' }],
    ['client', { TOR_PT_CLIENT_TRANSPORTS: '' }],
    ['server', { TOR_PT_SERVER_TRANSPORTS: 'a' }],
    ['server', { TOR_PT_SERVER_TRANSPORTS: '' }],
  ])('ARCH-1: %s for %j', (role, env) => {
    expect(readRole(env)).toBe(role)
    shows('ARCH-1')
  })

  it.each([
    {},
    { TOR_PT_CLIENT_TRANSPORTS: 'a', TOR_PT_SERVER_TRANSPORTS: 'b' },
    { TOR_PT_CLIENT_TRANSPORTS: 'a', TOR_PT_SERVER_TRANSPORTS: '' },
    { TOR_PT_CLIENT_TRANSPORTS: '', TOR_PT_SERVER_TRANSPORTS: '' },
  ])('ARCH-1: %j is both or neither, PT_ENV', (env) => {
    expect(() => readRole(env)).toThrow(refused('TOR_PT_CLIENT_TRANSPORTS and TOR_PT_SERVER_TRANSPORTS '))
    shows('ARCH-1')
  })
})

describe('what both roles are told', () => {
  it.each(['/var/lib/pt', '/var/lib/tor/pt_state/', '/'])('ENV-4: %s is an absolute path', (stateDir) => {
    expect(readClientEnvironment({ ...client, TOR_PT_STATE_LOCATION: stateDir }).stateDir).toBe(stateDir)
  })

  it.each(['pt_state', './pt', 'data/pt_state/'])(
    'ENV-4: %s, as tor may write it, is for the caller to resolve',
    (stateDir) => {
      expect(readClientEnvironment({ ...client, TOR_PT_STATE_LOCATION: stateDir }).stateDir).toBe(stateDir)
    },
  )

  it.each([undefined, ''])('ENV-4, PT_ENV: %j is no path', (stateDir) => {
    expect(() => readClientEnvironment({ ...client, TOR_PT_STATE_LOCATION: stateDir })).toThrow(
      refused('TOR_PT_STATE_LOCATION '),
    )
  })

  it.each([
    ['1', true],
    [undefined, false],
    ['', false],
    ['0', false],
    ['true', false],
    ['1 ', false],
    ['01', false],
  ])('TOR_PT_EXIT_ON_STDIN_CLOSE=%j is read as %j', (value, exitOnStdinClose) => {
    expect(readClientEnvironment({ ...client, TOR_PT_EXIT_ON_STDIN_CLOSE: value })).toMatchObject({ exitOnStdinClose })
  })
})

describe('envError', () => {
  it('ERR-1: the line names the variable and what is wrong, in ASCII on one line', () => {
    const error = envError('TOR_PT_ORPORT', 'has a malformed address: "café\n:80"', new Error('why'))
    expect(error).toMatchObject({ code: 'PT_ENV', message: 'TOR_PT_ORPORT has a malformed address: "café\n:80"' })
    expect(error.line).toBe('ENV-ERROR TOR_PT_ORPORT has a malformed address: "cafe :80"')
    expect(error.cause).toEqual(new Error('why'))
  })

  it('ERR-1: the line stays short, however long the value', () => {
    const env = { ...client, TOR_PT_OUTBOUND_BIND_ADDRESS_V4: 'x'.repeat(100_000) }
    expect(() => readClientEnvironment(env)).toThrow(
      expect.objectContaining({ line: expect.stringMatching(/^ENV-ERROR TOR_PT_OUTBOUND_BIND_ADDRESS_V4 .{1,150}$/) }),
    )
  })
})

it('CENV-5: a parent hands on its environment without any variable of the IPC', () => {
  const inherited = {
    PATH: '/bin',
    TOR_PT_PROXY: 'socks5://x',
    TOR_PT_FUTURE: '1',
    tor_pt_lower: '1',
    TOR_X: 'y',
    GONE: undefined,
  }
  expect(withoutPtVariables(inherited)).toEqual({ PATH: '/bin', TOR_X: 'y' })
})
