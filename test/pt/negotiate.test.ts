import { existsSync, statSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { isPtError } from '../../src/error.ts'
import type { Environment } from '../../src/ipc/index.ts'
import { configure, negotiateVersion, sayFatal } from '../../src/pt/negotiate.ts'
import { tempDir } from '../support.ts'
import { recorder } from './support.ts'
import { shows } from '../shows.ts'

const implementation = { name: 'postern', version: '1.2.3' }

/** The lines of a whole negotiation, and the code of the error that ended it. */
function negotiate(env: Environment): { lines: string[]; code: string | undefined; role: string | undefined } {
  const { reporter, lines } = recorder()
  let afterVersion = false
  try {
    negotiateVersion(env, reporter, implementation)
    afterVersion = true
    return { lines, code: undefined, role: configure(env, reporter).role }
  } catch (error) {
    sayFatal(reporter, error, afterVersion)
    return { lines, code: isPtError(error) ? error.code : undefined, role: undefined }
  }
}

const greeting = ['VERSION 1', 'STATUS TYPE=version IMPLEMENTATION="postern" VERSION="1.2.3"']
const version = { TOR_PT_MANAGED_TRANSPORT_VER: '1' }
const client = (more: Environment = {}): Environment => ({
  ...version,
  TOR_PT_STATE_LOCATION: tempDir(),
  TOR_PT_CLIENT_TRANSPORTS: 'rot_by_N',
  ...more,
})
const server = (more: Environment = {}): Environment => ({
  ...version,
  TOR_PT_STATE_LOCATION: tempDir(),
  TOR_PT_SERVER_TRANSPORTS: 'rot_by_N',
  TOR_PT_ORPORT: '127.0.0.1:9001',
  ...more,
})

describe('the version', () => {
  test.each(['1', '1,1a,2b,this_is_a_valid_ver', '2,1', '1,,', '!,~,1'])(
    'ENV-2, VER-1, VER-4: %s holds version 1, and VERSION 1 is the first line',
    (list) => {
      expect(negotiate(client({ TOR_PT_MANAGED_TRANSPORT_VER: list }))).toEqual({
        lines: greeting,
        code: undefined,
        role: 'client',
      })
      shows('ENV-2', 'VER-1', 'VER-4')
    },
  )

  test.each(['2', '01', ' 1', '1a', '1 ', '1.0', '2,3'])('VER-2: %j holds no version of ours', (list) => {
    const { lines, code } = negotiate(client({ TOR_PT_MANAGED_TRANSPORT_VER: list }))
    expect(lines).toEqual(['VERSION-ERROR no-version'])
    expect(code).toBe('PT_VERSION')
    shows('VER-2')
  })

  test('FLOW-2: nothing else is looked at before the version, however wrong', () => {
    const wrong = { TOR_PT_STATE_LOCATION: 'relative', TOR_PT_CLIENT_TRANSPORTS: '', TOR_PT_SERVER_TRANSPORTS: '' }
    expect(negotiate({ ...wrong, TOR_PT_MANAGED_TRANSPORT_VER: '2' }).lines).toEqual(['VERSION-ERROR no-version'])
    shows('FLOW-2')
  })

  test.each([undefined, ''])('ERR-1: without a version list (%j) there is an ENV-ERROR and no other line', (list) => {
    const { lines, code } = negotiate(client({ TOR_PT_MANAGED_TRANSPORT_VER: list }))
    expect(lines).toEqual([
      'ENV-ERROR TOR_PT_MANAGED_TRANSPORT_VER is not set: this program is started by a parent process',
    ])
    expect(code).toBe('PT_ENV')
  })
})

describe('the environment', () => {
  test('a server is configured without a PROXY line', () => {
    expect(negotiate(server({ TOR_PT_PROXY: 'nonsense' }))).toEqual({
      lines: greeting,
      code: undefined,
      role: 'server',
    })
  })

  test('ENV-4, SENV-13: relative paths, which tor writes for a relative DataDirectory, are resolved with a warning each', () => {
    const base = relative(process.cwd(), tempDir())
    const { reporter, lines } = recorder()
    const configuration = configure(
      server({
        TOR_PT_STATE_LOCATION: join(base, 'pt_state/'),
        TOR_PT_EXTENDED_SERVER_PORT: '127.0.0.1:9002',
        TOR_PT_AUTH_COOKIE_FILE: join(base, 'cookie'),
      }),
      reporter,
    )
    expect(configuration.env).toMatchObject({
      stateDir: resolve(base, 'pt_state'),
      destination: { type: 'extendedOrPort', cookieFile: resolve(base, 'cookie') },
    })
    expect(statSync(join(base, 'pt_state')).isDirectory()).toBe(true)
    expect(lines).toEqual(
      ['TOR_PT_STATE_LOCATION', 'TOR_PT_AUTH_COOKIE_FILE'].map(
        (variable) =>
          `LOG SEVERITY=warning MESSAGE="${variable} is a relative path, and is taken from the working directory"`,
      ),
    )
  })

  test('ENV-5: the state directory is made while the environment is read', () => {
    const path = join(tempDir(), 'pt_state')
    negotiate(server({ TOR_PT_STATE_LOCATION: path }))
    expect(statSync(path).mode & 0o777).toBe(0o700)
    shows('ENV-5')
  })

  test.each<readonly [variable: string, env: () => Environment]>([
    ['TOR_PT_CLIENT_TRANSPORTS', () => client({ TOR_PT_SERVER_TRANSPORTS: 'rot_by_N' })],
    ['TOR_PT_CLIENT_TRANSPORTS', () => client({ TOR_PT_SERVER_TRANSPORTS: '' })],
    ['TOR_PT_CLIENT_TRANSPORTS', () => client({ TOR_PT_CLIENT_TRANSPORTS: undefined })],
    ['TOR_PT_CLIENT_TRANSPORTS', () => client({ TOR_PT_CLIENT_TRANSPORTS: '' })],
    ['TOR_PT_STATE_LOCATION', () => client({ TOR_PT_STATE_LOCATION: undefined })],
    ['TOR_PT_SERVER_BINDADDR', () => server({ TOR_PT_SERVER_BINDADDR: 'rot_by_N-localhost:80' })],
    ['TOR_PT_SERVER_BINDADDR', () => server({ TOR_PT_SERVER_BINDADDR: '127.0.0.1:80' })],
    ['TOR_PT_SERVER_BINDADDR', () => server({ TOR_PT_SERVER_BINDADDR: 'a-127.0.0.1:1,a-127.0.0.1:2' })],
    ['TOR_PT_SERVER_TRANSPORT_OPTIONS', () => server({ TOR_PT_SERVER_TRANSPORT_OPTIONS: 'rot_by_N:N' })],
    ['TOR_PT_ORPORT', () => server({ TOR_PT_ORPORT: undefined })],
    ['TOR_PT_ORPORT', () => server({ TOR_PT_ORPORT: 'localhost:9001' })],
    ['TOR_PT_AUTH_COOKIE_FILE', () => server({ TOR_PT_EXTENDED_SERVER_PORT: '127.0.0.1:1' })],
  ])(
    'ARCH-1, FLOW-3, SENV-6, SENV-8, SENV-9, SENV-10, SENV-13, ERR-1: a fault is a LOG and an ENV-ERROR that names %s',
    (variable, env) => {
      const { lines, code } = negotiate(env())
      expect(code).toBe('PT_ENV')
      expect(lines.slice(0, 2)).toEqual(greeting)
      // C tor shows an ENV-ERROR that comes before VERSION, and only the LOG line of one that comes after it.
      expect(lines[2]).toMatch(new RegExp(`^LOG SEVERITY=error MESSAGE="${variable} `))
      expect(lines[3]).toMatch(new RegExp(`^ENV-ERROR ${variable} `))
      expect(lines.length).toBe(4)
      shows('FLOW-3', 'ERR-1')
    },
  )

  test.each([
    ['rot_by_N-203.0.113.5:99999', 'the port is above 65535'],
    ['rot_by_N-bridge.example:443', 'what stands before the port is not an IP address'],
  ])('ERR-1, ANON-4: the ENV-ERROR of %s says what is wrong and not the address', (bindAddress, why) => {
    const { lines } = negotiate(server({ TOR_PT_SERVER_BINDADDR: bindAddress }))
    expect(lines[3]).toBe(`ENV-ERROR TOR_PT_SERVER_BINDADDR has a malformed address: ${why}: "[scrubbed]"`)
  })

  test('ERR-1: a message of any length is said', () => {
    const path = `/${'x'.repeat(300)}`.repeat(13)
    expect(negotiate(client({ TOR_PT_STATE_LOCATION: path })).lines[3]).toMatch(/^ENV-ERROR TOR_PT_STATE_LOCATION /)
  })

  test('ERR-1: a state directory that a file stands in the way of is an ENV-ERROR', () => {
    const file = join(tempDir(), 'file')
    writeFileSync(file, '')
    expect(negotiate(client({ TOR_PT_STATE_LOCATION: file })).lines.at(-1)).toMatch(/^ENV-ERROR TOR_PT_STATE_LOCATION /)
  })

  test('ENV-6: a negotiation that fails before the state directory makes none', () => {
    const path = join(tempDir(), 'pt_state')
    negotiate(client({ TOR_PT_STATE_LOCATION: path, TOR_PT_CLIENT_TRANSPORTS: '' }))
    expect(existsSync(path)).toBe(false)
    shows('ENV-6')
  })
})

describe('the upstream proxy', () => {
  test.each([
    'socks5://tor:test1234@198.51.100.1:8000',
    'socks4a://198.51.100.2:8001',
    'http://198.51.100.3:443',
    'socks5://[2001:db8::1]:1080',
  ])('PROXY-2: %s is answered by PROXY DONE, once', (uri) => {
    expect(negotiate(client({ TOR_PT_PROXY: uri })).lines).toEqual([...greeting, 'PROXY DONE'])
    shows('PROXY-2')
  })

  test.each([
    'socks6://198.51.100.1:1',
    'socks5://proxy.example:1080',
    'socks5://198.51.100.1',
    'socks5://user:secret@198.51.100.1:99999',
    'nonsense',
  ])('PROXY-1, ANON-4: %s is answered by PROXY-ERROR, which repeats no password', (uri) => {
    const { lines, code } = negotiate(client({ TOR_PT_PROXY: uri }))
    expect(code).toBe('PT_PROXY_URI')
    expect(lines.slice(0, 2)).toEqual(greeting)
    expect(lines[2]).toMatch(/^PROXY-ERROR TOR_PT_PROXY: /)
    expect(lines[2]).not.toContain('secret')
    expect(lines.length).toBe(3)
  })

  test('an empty TOR_PT_PROXY is none', () => {
    expect(negotiate(client({ TOR_PT_PROXY: '' })).lines).toEqual(greeting)
  })
})

test('an error that carries no line is told as an ENV-ERROR, and so is what is no error at all', () => {
  const { reporter, lines } = recorder()
  sayFatal(reporter, undefined, false)
  expect(lines.splice(0)).toEqual(['ENV-ERROR unknown error'])
  sayFatal(reporter, new Error('--load x.js: there is no such file'), true)
  expect(lines).toEqual([
    'LOG SEVERITY=error MESSAGE="--load x.js: there is no such file"',
    'ENV-ERROR --load x.js: there is no such file',
  ])
})
