/** Lint, the command line and the transport agree on every argument: what passes here is dialled, what fails here is refused there. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isPtError } from '../../src/error.ts'
import { Args } from '../../src/ipc/index.ts'
import { builtIns } from '../../src/transports/index.ts'
import { checkArguments } from '../../src/transports/arguments.ts'
import { tempDir } from '../support.ts'
import { clientOptions, serverOptions } from '../launch-options.ts'

const cert = 'q/'.repeat(35)
const url = 'https://bridge.example/secret'
const password = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** What a dial comes to that gets as far as the network: an error of ours, and no other. */
const reached = new Error('the transport took the arguments and wanted to connect')

/** True if the transport, as it is, refuses these arguments. */
async function refuses(name: string, args: Args): Promise<boolean> {
  const transport = await builtIns.find((one) => one.name === name)!.load()
  const report = { log: () => undefined, status: () => undefined }
  const client = await transport.client(clientOptions({ stateDir: tempDir() }))
  const dial = client.dial({
    target: '127.0.0.1:1',
    args,
    connect: () => Promise.reject(reached),
    signal: new AbortController().signal,
    ...report,
  })
  const error: unknown = await dial.catch((error: unknown) => error)
  if (error === reached) return false
  expect(isPtError(error, 'PT_ARGS')).toBe(true)
  return true
}

function errorsOf(name: string, args: Args): string[] {
  return checkArguments(name, args, 'client')!.flatMap(({ severity, key }) => (severity === 'error' ? [key] : []))
}

const digits = (length: number): string => '0f'.repeat(length / 2)

describe('what lint says and what the transport does', () => {
  test.each<[string, Record<string, string>, string[]]>([
    ['obfs4', { cert, 'iat-mode': '0' }, []],
    ['obfs4', { cert: `${cert}==`, 'iat-mode': '1' }, []],
    ['obfs4', { cert: `${cert}=`, 'iat-mode': '2' }, []],
    ['obfs4', { cert: cert.replaceAll('/', '_'), 'iat-mode': '0' }, []],
    ['obfs4', { cert, 'iat-mode': '+1' }, []],
    ['obfs4', { cert, 'iat-mode': '01' }, []],
    ['obfs4', { cert, 'iat-mode': '3' }, ['iat-mode']],
    ['obfs4', { cert, 'iat-mode': '' }, ['iat-mode']],
    ['obfs4', { cert }, ['iat-mode']],
    ['obfs4', { cert: `${cert}A`, 'iat-mode': '0' }, ['cert']],
    ['obfs4', { cert: cert.slice(1), 'iat-mode': 'x' }, ['cert', 'iat-mode']],
    ['obfs4', { 'iat-mode': '0' }, ['cert']],
    ['obfs4', { 'node-id': digits(40), 'public-key': digits(64), 'iat-mode': '0' }, []],
    ['obfs4', { 'node-id': digits(40), 'iat-mode': '0' }, ['public-key']],
    ['obfs4', { 'node-id': digits(42), 'public-key': digits(62), 'iat-mode': '0' }, ['node-id', 'public-key']],
    ['obfs4', { cert, 'node-id': 'x', 'iat-mode': '0' }, []],
    ['obfs4', { cert, 'iat-mode': '0', unheard: 'of' }, []],
    ['scramblesuit', { password }, []],
    ['scramblesuit', { password: password.toLowerCase() }, []],
    ['scramblesuit', { password: password.replace('I', '1').replace('O', '0') }, []],
    ['scramblesuit', { password: `${password}======` }, []],
    ['scramblesuit', { password: password.slice(1) }, ['password']],
    ['scramblesuit', { password: `${password.slice(1)}8` }, ['password']],
    ['scramblesuit', {}, ['password']],
    ['obfs3', { k: 'v' }, []],
    ['obfs2', { k: 'v' }, []],
    ['obfs2', { 'shared-secret': 'x' }, ['shared-secret']],
    ['webtunnel', { url, addr: '192.0.2.1:443', servername: 'a,b', 'cert-domain': '*', ver: '0.0.4' }, []],
    ['webtunnel', {}, ['url']],
    ['webtunnel', { url: 'x', cert: 'x', utls: 'x' }, ['url', 'cert', 'utls']],
  ])('%s %j: errors in %j', async (name, given, errors) => {
    const args = Args.from(given)
    expect(errorsOf(name, args)).toEqual(errors)
    expect(await refuses(name, args)).toBe(errors.length > 0)
  })

  test('are the same for whatever somebody has typed', async () => {
    const value = fc.oneof(
      fc.constantFrom(cert, `${cert}==`, password, '0', '1', '+2', '00', digits(40), digits(64), ''),
      fc.constantFrom(url, `${url}:0`, 'hellochrome_auto', 'none', 'a.example, b.example', '*'),
      fc.constantFrom(cert, password).chain((text) => fc.nat(text.length).map((n) => text.slice(n))),
      fc.string(),
    )
    const key = fc.constantFrom(
      ...'cert iat-mode node-id public-key password shared-secret other url addr servername cert-domain utls profile'.split(
        ' ',
      ),
    )
    const property = fc.asyncProperty(
      fc.constantFrom('obfs2', 'obfs3', 'obfs4', 'scramblesuit', 'webtunnel'),
      fc.array(fc.tuple(key, value), { maxLength: 4 }),
      async (name, pairs) => {
        const args = Args.from(pairs)
        expect(await refuses(name, args)).toBe(errorsOf(name, args).length > 0)
      },
    )
    await fc.assert(property, { numRuns: 200 })
  })
})

describe('the options of a server', () => {
  const options = { 'private-key': digits(64), 'node-id': digits(40), 'drbg-seed': digits(48) }

  test.each<[string, Record<string, string>, string[]]>([
    ['obfs4', {}, []],
    ['obfs4', { 'iat-mode': '1' }, []],
    ['obfs4', { 'iat-mode': '9' }, ['error iat-mode']],
    ['obfs4', { iat_mode: '1' }, ['warning iat_mode']],
    ['obfs4', options, []],
    ['obfs4', { ...options, 'drbg-seed': digits(50) }, []],
    ['obfs4', { ...options, 'node-id': 'x' }, ['error node-id']],
    ['obfs4', { 'node-id': digits(40) }, ['error private-key']],
    ['obfs4', { cert }, ['warning cert']],
    ['scramblesuit', {}, []],
    ['scramblesuit', { password }, []],
    ['scramblesuit', { password: 'x' }, ['error password']],
    ['obfs2', { 'shared-secret': 'x' }, ['error shared-secret']],
    ['obfs3', { x: 'y' }, ['warning x']],
  ])('%s %j: %j', async (name, given, expected) => {
    const args = Args.from(given)
    const findings = checkArguments(name, args, 'server')!
    expect(findings.map(({ severity, key }) => `${severity} ${key}`)).toEqual(expected)
    const transport = await builtIns.find((one) => one.name === name)!.load()
    const launched = await Promise.resolve()
      .then(() => transport.server(serverOptions({ stateDir: tempDir(), args })))
      .then(
        () => true,
        (error: unknown) => !isPtError(error, 'PT_ARGS'),
      )
    expect(launched).toBe(!findings.some(({ severity }) => severity === 'error'))
  })
})

test('of a transport that is not built in nothing is known', () => {
  expect(checkArguments('snowflake', Args.none, 'client')).toBeUndefined()
  expect(checkArguments('toString', Args.none, 'client')).toBeUndefined()
})
