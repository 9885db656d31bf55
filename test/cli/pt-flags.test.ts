import { expect, test } from 'vitest'
import { translateFlags } from '../../src/cli/pt-flags.ts'

test.each([
  [[], []],
  [
    ['--load', 'x.js'],
    ['--load', 'x.js'],
  ],
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
  expect(translateFlags(theirs)).toEqual(ours)
})
