import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import type { PtProcessError } from 'postern/parent'
import { launchClient, launchServer } from 'postern/parent'
import { describe, expect, test } from 'vitest'
import { hearUncaught, isAlive, tempDir } from '../support.ts'
import { Events, fixture, sayClient } from './fixtures.ts'
import { shows } from '../shows.ts'

const ready = sayClient(1)

/** What a PT says of its bridge and its proxy when it fails. */
const secrets =
  'no route: bridge.example 203.0.113.7:443 https://cdn.example/secret-path?k=v SECRETCERT login user77 pass88 at 192.0.2.9'

/** Launches a client that has to fail, and gives its error once the process is gone. */
async function failure(
  exec: string[],
  options: Partial<Parameters<typeof launchClient>[0]> = {},
): Promise<PtProcessError> {
  const events = new Events()
  const launched = launchClient({ exec, transports: ['a'], stateDir: tempDir(), onEvent: events.onEvent, ...options })
  const error = await launched.then(
    () => expect.fail('it was launched'),
    (error: unknown) => error as PtProcessError,
  )
  for (const { pid } of events.of('launching')) expect(isAlive(pid), 'the process is gone').toBe(false)
  return error
}

describe('a launch that succeeds', () => {
  test('FLOW-1: resolves with CMETHODS DONE and has the transports', async () => {
    const events = new Events()
    const options = {
      exec: fixture('say', ...ready),
      transports: ['a', 'b'],
      stateDir: tempDir(),
      onEvent: events.onEvent,
    }
    await using pt = await launchClient(options)
    expect([...pt.methods]).toEqual([['a', { protocol: 'socks5', address: { host: '127.0.0.1', port: 1 } }]])
    expect([...pt.failures]).toEqual([['b', 'the PT does not know it']])
    expect(events.of('ready')).toMatchObject([{ transports: ['a'] }])
    expect(events.all[0]?.type).toBe('launching')
  })

  test('FLOW-1: of a server resolves with SMETHODS DONE and has addresses and ARGS', async () => {
    const lines = [
      'VERSION 1',
      'SMETHOD a 198.51.100.1:2323 ARGS:N=13,k=a\\=b',
      'SMETHOD-ERROR b no cows',
      'SMETHODS DONE',
    ]
    await using pt = await launchServer({
      exec: fixture('say', ...lines),
      transports: [{ name: 'a' }, { name: 'b' }],
      stateDir: tempDir(),
      destination: { type: 'orPort', address: { host: '127.0.0.1', port: 9 } },
    })
    expect(pt.methods.get('a')?.address).toEqual({ host: '198.51.100.1', port: 2323 })
    expect([...pt.methods.get('a')!.args]).toEqual([
      ['N', '13'],
      ['k', 'a=b'],
    ])
    expect([...pt.failures]).toEqual([['b', 'no cows']])
  })

  test('LINE-2, CM-5, LOG-2, STATUS-2: odd but legal lines pass, and each becomes its event', async () => {
    const lines = [
      'LOG SEVERITY=notice MESSAGE="before \\"VERSION\\""',
      'VERSION 1\r',
      'WHATEVER comes',
      'CMETHOD b socks4 [::1]:2 surplus words',
      'STATUS TYPE=version IMPLEMENTATION="odd" VERSION="1.2"',
      'CMETHOD-ERROR c no rocks',
      'LOG SEVERITY=loud MESSAGE=x',
      'CMETHOD   a   socks5   127.0.0.1:1',
      'CMETHODS DONE',
      'STATUS TRANSPORT=a ADDRESS=198.51.100.1:1 CONNECT=Success',
    ]
    const events = new Events()
    const last = events.next('exit')
    const options = { exec: fixture('say', ...lines), transports: ['a', 'b', 'c'], stateDir: tempDir() }
    const pt = await launchClient({ ...options, onEvent: events.onEvent })
    expect([...pt.methods.keys()]).toEqual(['b', 'a'])
    shows('CM-5')
    await pt.stop()
    expect(await last).toEqual({ type: 'exit', code: 0, signal: null })
    expect(events.of('line').map(({ line }) => line)).toEqual(lines.map((line) => line.trim()))
    shows('LINE-2')
    expect(events.of('log')).toEqual([{ type: 'log', severity: 'notice', message: 'before "VERSION"' }])
    shows('LOG-2')
    expect(events.of('version')).toEqual([{ type: 'version', implementation: 'odd', version: '1.2' }])
    expect(events.of('status').map(({ transport }) => transport)).toEqual([undefined, 'a'])
    expect(events.of('status')[1]?.args.get('CONNECT')).toBe('Success')
    shows('STATUS-2')
    expect(events.of('warning')).toMatchObject([{ message: expect.stringContaining('malformed LOG') as string }])
  })

  test('a PT that floods stdout and stderr is drained, and no more than the end is kept', async () => {
    const events = new Events()
    let lines = 0
    const onEvent: typeof events.onEvent = (event) => {
      if (event.type === 'stderr' || event.type === 'log') lines++
      else if (event.type !== 'line') events.onEvent(event)
    }
    const pt = await launchClient({ exec: fixture('flood'), transports: ['a'], stateDir: tempDir(), onEvent })
    expect(pt.methods.size).toBe(1)
    expect(await pt.stop()).toMatchObject({ step: 'stdin' })
    expect(lines).toBe(2 * 8192)
  })

  test('what a callback throws breaks nothing, and reaches the application', async () => {
    const uncaught = hearUncaught()
    const mistake = new Error('of the application')
    const options = { exec: fixture('say', ...ready), transports: ['a'], stateDir: tempDir() }
    await using throwing = await launchClient({
      ...options,
      onEvent: (event) => {
        if (event.type === 'ready') throw mistake
      },
    })
    expect(throwing.methods.size).toBe(1)
    await expect.poll(() => uncaught).toEqual([mistake])
  })
})

describe('a launch that fails leaves no process, and its error says what to do', () => {
  test('PT_EXEC: a program that is not there', async () => {
    const error = await failure(['postern-no-such-program'])
    expect(error).toMatchObject({ code: 'PT_EXEC', cause: { code: 'ENOENT' } })
    expect(error.message).toBe(
      'cannot start postern-no-such-program: no such program in PATH; install it, or give its absolute path',
    )
  })

  test.each([
    [['/nowhere/pt'], 'no such file'],
    [['obfs4proxy -enableLogging'], '[program, ...arguments]'],
    [[''], 'exec names no program'],
    [[], 'exec names no program'],
    [[process.execPath, 'nul\0'], 'ERR_INVALID_ARG_VALUE'],
  ])('PT_EXEC: %j', async (exec, says) => {
    const error = await failure(exec)
    expect(error.code).toBe('PT_EXEC')
    expect(error.message).toContain(says)
  })

  test('PT_EXEC: a file that is no program', async () => {
    const file = join(tempDir(), 'pt')
    writeFileSync(file, 'hello')
    expect((await failure([file])).message).toContain('chmod +x')
  })

  test('PT_EXITED: a PT that dies before it is ready: status, last words, and what it was about to say', async () => {
    const error = await failure(fixture('die', 'VERSION 1\nCMETHOD a soc', 'one\ntwo\n\nthree\nfour\n'))
    expect(error).toMatchObject({
      code: 'PT_EXITED',
      exit: { code: 3, signal: null },
      lines: ['VERSION 1'],
      stderr: 'one\ntwo\n\nthree\nfour\n',
    })
    expect(error.message).toBe('node: ended before it said CMETHODS DONE, with exit status 3')
    expect(error.reported).toBe('"CMETHOD a soc" (cut off) | two | three | four')
  })

  test('PT_EXITED: a last line without NL is never acted on', async () => {
    expect((await failure(fixture('die', [...ready].join('\n')))).code).toBe('PT_EXITED')
  })

  test('PT_EXITED: stderr is kept up to a limit', async () => {
    const error = await failure(fixture('die', '', `${'x'.repeat(100_000)}end\n`))
    expect(error.stderr.length).toBe(16 * 1024)
    expect(error.stderr.endsWith('xend\n')).toBe(true)
    expect(error.message.length).toBeLessThan(1000)
  })

  test('PT_EXITED: status 127 says where the cures are, as it is what a missing `node` gives', async () => {
    const error = await failure(['/bin/sh', '-c', 'exec postern-no-such-program 2> /dev/null'])
    expect(error.message).toContain('with exit status 127, which says that a program was not found')
    expect(error.message).toContain(`docs/operating.md, "Under Debian's tor"`)
  })

  test('PT_EXITED: a program that the PT left behind holds nobody up', async () => {
    const error = await failure(fixture('offspring'))
    expect(error).toMatchObject({ code: 'PT_EXITED', exit: { code: 3 } })
    process.kill(Number(/left (\d+)/.exec(error.stderr)![1]), 'SIGKILL')
  })

  test('PT_TIMEOUT: a silent PT, and what is missing', async () => {
    const error = await failure(fixture('say'), { startTimeout: 300 })
    expect(error).toMatchObject({ code: 'PT_TIMEOUT', exit: { code: 0 } })
    expect(error.message).toBe('node: the start of the PT took longer than 0.3 s, and VERSION is still missing')
  })

  test('PT_TIMEOUT: a PT that stops in the middle', async () => {
    const exec = fixture('say', 'VERSION 1', 'CMETHOD-ERROR a no rocks')
    const error = await failure(exec, { startTimeout: 4000 })
    expect(error.message).toContain('CMETHODS DONE is still missing; a: no rocks')
    expect([...error.failures]).toEqual([['a', 'no rocks']])
  })

  test.each<[code: string, lines: string[], says: string]>([
    ['PT_VERSION', ['VERSION-ERROR no-version'], 'VERSION-ERROR no-version'],
    ['PT_ENV', ['VERSION 1', 'ENV-ERROR no cows'], 'ENV-ERROR no cows'],
    ['PT_PROXY_URI', ['VERSION 1', 'PROXY-ERROR no proxies'], 'PROXY-ERROR no proxies'],
  ])('%s: the PT gives up with its own words', async (code, lines, says) => {
    const error = await failure(fixture('say', ...lines))
    expect(error).toMatchObject({ code, line: says })
    expect(error.message).toContain(says)
  })

  test('PT_PROTOCOL: a PT that breaks the protocol is killed, however stubborn', async () => {
    const error = await failure(fixture('say', 'CMETHOD a socks5 127.0.0.1:1'))
    expect(error).toMatchObject({ code: 'PT_PROTOCOL', exit: { signal: 'SIGKILL' } })
  })

  test('PT_PROTOCOL: PROXY-2, CENV-3: a PT that does not confirm the proxy is killed', async () => {
    const error = await failure(fixture('say', ...ready), { proxy: 'socks5://127.0.0.1:9' })
    expect(error).toMatchObject({ code: 'PT_PROTOCOL', exit: { signal: 'SIGKILL' } })
    expect(error.message).toContain('PROXY DONE must come before')
  })

  test('PT_PROTOCOL: a PT that closes its stdout before DONE is killed at once, as it can never be ready', async () => {
    const error = await failure(['/bin/sh', '-c', 'echo VERSION 1; exec >&-; read line'], { startTimeout: 600_000 })
    expect(error).toMatchObject({ code: 'PT_PROTOCOL', exit: { signal: 'SIGKILL' } })
    expect(error.message).toBe('sh: it closed its stdout before it said CMETHODS DONE')
  })

  test('PT_LINE_TOO_LONG: a line without an end is killed', async () => {
    expect(await failure(fixture('endless'))).toMatchObject({ code: 'PT_LINE_TOO_LONG', exit: { signal: 'SIGKILL' } })
  })

  test('PT_LAUNCH: no transport is there', async () => {
    const error = await failure(fixture('say', 'VERSION 1', 'CMETHOD-ERROR a no rocks', 'CMETHODS DONE'), {
      transports: ['a', 'b'],
    })
    expect(error.code).toBe('PT_LAUNCH')
    expect(error.message).toBe(
      'node: none of the requested transports is there; a: no rocks; b: the PT does not know it',
    )
  })

  test('PT_LAUNCH: with `require: all`, one is missing', async () => {
    const error = await failure(fixture('say', ...ready), { transports: ['a', 'b'], require: 'all' })
    expect(error).toMatchObject({ code: 'PT_LAUNCH' })
    expect(error.message).toBe('node: b did not start; b: the PT does not know it')
  })

  test.each([
    ['its last words', fixture('die', 'VERSION 1\nCMETHOD 203.0.113.7', `panic: ${secrets}\n`)],
    ['a line that breaks the protocol', fixture('say', `CMETHOD ${secrets}`)],
    ['ENV-ERROR', fixture('say', 'VERSION 1', `ENV-ERROR ${secrets}`)],
    ['PROXY-ERROR', fixture('say', 'VERSION 1', `PROXY-ERROR ${secrets}`)],
    ['CMETHOD-ERROR', fixture('say', 'VERSION 1', `CMETHOD-ERROR a ${secrets}`, 'CMETHODS DONE')],
  ])('ANON-1, ANON-4: nothing in the error of a PT is an address, a name or a secret of %s', async (_, exec) => {
    const error = await failure(exec, { proxy: 'socks5://user77:pass88@192.0.2.9:1080', secrets: ['SECRETCERT'] })
    expect(inspect(error, { depth: 9 })).not.toMatch(
      /203\.0\.113|192\.0\.2\.9|example|secret-path|SECRETCERT|user77|pass88/i,
    )
    expect(inspect(error)).toContain('no route')
  })

  test('an aborted launch rejects with the reason of its signal', async () => {
    const controller = new AbortController()
    const reason = new Error('changed my mind')
    const launching = failure(fixture('say'), { signal: controller.signal, onEvent: () => controller.abort(reason) })
    expect(await launching).toBe(reason)
    expect(await failure(fixture('say'), { signal: AbortSignal.abort(reason) })).toBe(reason)
  })

  test.each<[code: string, options: object]>([
    ['PT_ENV', { stateDir: '' }],
    ['PT_ENV', { transports: [] }],
    ['PT_NAME', { transports: ['no-name'] }],
    ['PT_NAME', { transports: ['a', 'a'] }],
    ['PT_PROXY_URI', { proxy: 'socks5://localhost:1' }],
    ['PT_ENV', { outboundBind: { v4: 'eth0' } }],
  ])('%s: options that cannot be said start nothing: %j', async (code, options) => {
    expect(await failure(fixture('say', ...ready), options)).toMatchObject({ code })
  })

  test('PT_ENV: a server with no destination, or with two', async () => {
    const options = { exec: fixture('say'), transports: [{ name: 'a' }], stateDir: tempDir() }
    const destination = { type: 'orPort', address: { host: '127.0.0.1', port: 9 } } as const
    await expect(launchServer(options)).rejects.toMatchObject({ code: 'PT_ENV' })
    await expect(launchServer({ ...options, destination, onConnection: () => {} })).rejects.toMatchObject({
      code: 'PT_ENV',
    })
  })
})
