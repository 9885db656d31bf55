import { describe, expect, test } from 'vitest'
import { hasLostOption, translateFlags } from '../../src/cli/pt-flags.ts'
import { clientEnv, portIn, rotByN, runChild, serverEnv } from '../pt/child.ts'
import { application, readAll, socks } from '../pt/support.ts'

const valued = new Set(['--load', '--transport', '--log-level'])

test.each([
  [[], []],
  [
    ['--load', 'x.js'],
    ['--load', 'x.js'],
  ],
  [['--load=x.js'], ['--load=x.js']],
  [
    ['--transport', 'obfs4', '--socks4'],
    ['--transport', 'obfs4', '--socks4'],
  ],
  [['--load'], ['--load']],
  [['-enableLogging'], []],
  [
    ['--enableLogging=true', '-logLevel', 'INFO'],
    ['--log-level', 'info'],
  ],
  [['-logLevel=WARN'], ['--log-level', 'warning']],
  [
    ['--logLevel=debug', '--socks4'],
    ['--log-level', 'debug', '--socks4'],
  ],
  [
    ['-logLevel', 'LOUD'],
    ['--log-level', 'LOUD'],
  ],
  [['-logLevel'], ['--log-level', '']],
  [['-unsafeLogging'], ['--unsafe-logging']],
  [['-unsafeLogging=true'], ['--unsafe-logging']],
  [['-unsafeLogging=false'], []],
  [['-obfs4-distBias'], []],
  [['-version'], ['--version']],
  [['-unsafeLoggingX'], ['-unsafeLoggingX']],
])('obfs4proxy’s %j is our %j', (theirs, ours) => {
  expect(translateFlags(theirs, valued)).toEqual({ flags: ours, ignored: [] })
})

test.each([
  [['managed'], [], ['managed'], false],
  [['-logLevel', 'WARN', 'managed'], ['--log-level', 'warning'], ['managed'], false],
  [['-enableLogging', 'true'], [], ['true'], false],
  [['--'], [], ['--'], false],
  [['-'], [], ['-'], false],
  [['--', 'managed'], [], ['--', 'managed'], false],
  [['--load', 'x.js', 'managed'], ['--load', 'x.js'], ['managed'], false],
  [[''], [], [''], false],
  // Go's flag package does not read -unsafeLogging here, and an address in a log would be the worse mistake.
  [['-enableLogging', 'true', '-unsafeLogging'], [], ['true', '-unsafeLogging'], true],
  [['managed', '--load', 'x.js'], [], ['managed', '--load', 'x.js'], true],
])('as with obfs4proxy nothing is read from the first stray word on: %j', (argv, flags, ignored, lost) => {
  expect(translateFlags(argv, valued)).toEqual({ flags, ignored })
  expect(hasLostOption(ignored)).toBe(lost)
})

test.each([
  [['--half-open'], 'the answer to all of it'],
  [[], ''],
])(
  'FLOW-6: with the flags %j at both ends an application that has ended its direction reads %j',
  async (flags, answer) => {
    const args = ['pt', '--load', rotByN, ...flags]
    const { address } = await application((conn) => {
      let heard = ''
      conn.on('data', (chunk: Buffer) => (heard += String(chunk)))
      conn.on('end', () => conn.end(`the answer to ${heard}`))
    })
    const server = runChild({ args, env: serverEnv({ TOR_PT_ORPORT: address }) })
    const client = runChild({ args, env: clientEnv() })
    const bridge = `127.0.0.1:${portIn(await server.line('SMETHOD '))}`
    const { conn, reply } = await socks(portIn(await client.line('CMETHOD ')), bridge)
    expect(reply).toBe(0)
    conn.end('all of it')
    expect(await readAll(conn)).toBe(answer)
  },
)

describe('a PT whose command line has stray words', () => {
  test.each([
    [['pt', 'managed']],
    [['managed']],
    [['pt', '-logLevel', 'WARN', 'managed']],
    [['pt', '-enableLogging', 'true']],
    [['-enableLogging', '-logLevel=ERROR', 'managed']],
    [['pt', '--', 'managed']],
  ])('%j runs, silently, as obfs4proxy does', async (args) => {
    const pt = runChild({ args, env: clientEnv({ TOR_PT_CLIENT_TRANSPORTS: 'obfs4' }) })
    expect(await pt.line('CMETHOD')).toMatch(/^CMETHOD obfs4 socks5 /)
    await pt.line('CMETHODS DONE')
    pt.child.kill('SIGTERM')
    expect(await pt.exit).toBe(0)
    expect(pt.stderr()).toBe('')
  })

  test('says on stderr that an option after such a word has no effect', async () => {
    const args = ['pt', 'managed', '--transport', 'nonsense']
    const pt = runChild({ args, env: clientEnv({ TOR_PT_CLIENT_TRANSPORTS: 'obfs4' }) })
    await pt.line('CMETHOD obfs4')
    pt.child.kill('SIGTERM')
    await pt.exit
    expect(pt.stderr()).toBe('postern: what stands after the word "managed" is not read, options neither\n')
  })
})
