import { once } from 'node:events'
import { inspect } from 'node:util'
import { readExactly } from 'postern/io'
import type { ClientPt, LaunchClientOptions } from 'postern/parent'
import { launchClient } from 'postern/parent'
import type { SocksRequest } from 'postern/socks'
import { acceptSocks } from 'postern/socks'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { PtError } from '../../src/error.ts'
import { verdictOf } from '../../src/failure.ts'
import { CLOSED_PORT, failureOf, tempDir } from '../support.ts'
import { echoed, fixture, sayClient, serve, serveSocks } from './fixtures.ts'
import { shows } from '../shows.ts'

/** A PT whose SOCKS port is `port`, until the test has finished. */
async function launchAt(
  port: number,
  options: Partial<LaunchClientOptions> = {},
  protocol?: string,
): Promise<ClientPt> {
  const exec = fixture('say', ...sayClient(port, protocol))
  const pt = await launchClient({ exec, transports: ['a'], stateDir: tempDir(), ...options })
  onTestFinished(async () => void (await pt.stop()))
  return pt
}

describe('connect', () => {
  test.each([
    ['socks5', 5, 'bridge.example:443'],
    ['socks5', 5, '[2001:db8::1]:443'],
    ['socks4', 4, '198.51.100.1:443'],
    ['socks4', 4, 'bridge.example:443'],
  ])('ARGS-2, ARGS-3, ARGS-4: asks by %s for %s%s, with the arguments', async (protocol, version, target) => {
    const requests: SocksRequest[] = []
    const pt = await launchAt(await serveSocks(requests), {}, protocol)
    const args = { cert: 'x=;\\', 'iat-mode': '0' }
    const conn = await pt.connect('a', target, { args })
    expect(await echoed(conn, 'hello')).toBe('hello')
    expect(requests).toMatchObject([{ version, target }])
    expect(requests.map((request) => Object.fromEntries(request.args))).toEqual([args])
    shows('ARGS-2')
  })

  test('ARGS-4, ARGS-5: a list that fits UNAME leaves one NUL for PASSWD, a longer one goes on there', async () => {
    const logins: string[] = []
    const port = await serve((conn) => {
      void (async () => {
        const methods = await readExactly(conn, (await readExactly(conn, 2)).readUInt8(1))
        expect(methods).toContain(2)
        conn.write(Buffer.of(5, 2))
        const user = await readExactly(conn, (await readExactly(conn, 2)).readUInt8(1))
        const password = await readExactly(conn, (await readExactly(conn, 1)).readUInt8())
        logins.push(`${user.length}+${password.length}${password[0] === 0 ? ' NUL' : ''}`)
        conn.destroy()
      })().catch(() => conn.destroy())
    })
    const pt = await launchAt(port)
    for (const size of [1, 253, 254]) {
      const args = { k: 'v'.repeat(size) }
      await expect(pt.connect('a', '192.0.2.1:1', { args })).rejects.toMatchObject({ code: 'PT_CLOSED' })
    }
    expect(logins).toEqual(['3+1 NUL', '255+1 NUL', '255+1'])
    shows('ARGS-4', 'ARGS-5')
    const args = { k: 'v'.repeat(600) }
    await expect(pt.connect('a', '192.0.2.1:1', { args })).rejects.toMatchObject({ code: 'PT_ARGS' })
  })

  test('the connection is half-open where one side has ended, and the bytes behind the reply are its first', async () => {
    const port = await serve((conn) => {
      void acceptSocks(conn).then((request) => {
        request.grant()
        conn.write('first')
        conn.on('end', () => conn.end('last')).resume()
      })
    })
    const conn = await (await launchAt(port)).connect('a', '192.0.2.1:1')
    expect(String(await readExactly(conn, 5))).toBe('first')
    conn.end()
    expect(String(await readExactly(conn, 4))).toBe('last')
  })

  test('fifty at once, without a warning of node', async () => {
    const warnings: Error[] = []
    const note = (warning: Error): void => void warnings.push(warning)
    process.on('warning', note)
    onTestFinished(() => void process.off('warning', note))
    const pt = await launchAt(await serveSocks())
    const conns = await Promise.all(Array.from({ length: 50 }, () => pt.connect('a', '192.0.2.1:1')))
    expect(await Promise.all(conns.map((conn, index) => echoed(conn, String(index))))).toEqual(
      conns.map((_, index) => String(index)),
    )
    for (const conn of conns) conn.destroy()
    expect(warnings).toEqual([])
  })

  test('PT_LAUNCH: a transport that is not there, and why', async () => {
    const pt = await launchAt(1, { transports: ['a', 'b'] })
    await expect(pt.connect('b', '192.0.2.1:1')).rejects.toMatchObject({
      code: 'PT_LAUNCH',
      message: 'there is no transport b: the PT does not know it',
    })
    await expect(pt.connect('c', '192.0.2.1:1')).rejects.toThrow('there is no transport c: it was not requested')
  })

  test('PT_CONNECT: a PT that runs without its SOCKS port', async () => {
    const pt = await launchAt(CLOSED_PORT)
    await expect(pt.connect('a', '192.0.2.1:1')).rejects.toMatchObject({
      code: 'PT_CONNECT',
      cause: { code: 'ECONNREFUSED' },
    })
  })

  test('PT_TIMEOUT: a PT that does not answer', async () => {
    const pt = await launchAt(await serve(() => {}), { connectTimeout: 200 })
    await expect(pt.connect('a', '192.0.2.1:1')).rejects.toMatchObject({ code: 'PT_TIMEOUT' })
  })

  test('an aborted connect rejects with the reason of its signal and hangs up', async () => {
    const controller = new AbortController()
    const reason = new Error('changed my mind')
    let hungUp: Promise<unknown> | undefined
    const port = await serve((conn) => {
      hungUp = once(conn, 'end')
      conn.once('data', () => controller.abort(reason))
    })
    const pt = await launchAt(port)
    await expect(pt.connect('a', '192.0.2.1:1', { signal: controller.signal })).rejects.toBe(reason)
    await hungUp
    await expect(pt.connect('a', '192.0.2.1:1', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })

  test('PT_STOPPED: a connect that is under way when the PT is stopped, and one after', async () => {
    const pt = await launchAt(await serve((conn) => conn.once('data', () => void pt.stop())))
    await expect(pt.connect('a', '192.0.2.1:1')).rejects.toMatchObject({ code: 'PT_STOPPED' })
    await expect(pt.connect('a', '192.0.2.1:1')).rejects.toMatchObject({ code: 'PT_STOPPED' })
  })
})

describe('STATUS-1, STATUS-2: a PT that names the connection is believed', () => {
  async function refused(...lines: string[]): Promise<PtError> {
    await using pt = await launchClient({ exec: fixture('refuse', ...lines), transports: ['a'], stateDir: tempDir() })
    return await failureOf(pt.connect('a', '192.0.2.1:443'))
  }

  test('PT_HANDSHAKE: the code and the sentence are those of its stage, whatever else it said at that time', async () => {
    const error = await refused(
      'LOG SEVERITY=error MESSAGE="something else"',
      'STATUS TRANSPORT=a PORT={port} CONNECT=Failed STAGE=mark ERRSTR="no mark from 192.0.2.1:443"',
    )
    expect(error).toMatchObject({ code: 'PT_HANDSHAKE', stage: 'mark', reply: 5, reported: 'no mark from [scrubbed]' })
    expect(error.message).toBe(`a: ${verdictOf('mark')}`)
  })

  test('PT_HANDSHAKE: without a stage, or with one that is none of ours, there are its words alone', async () => {
    for (const stage of ['', 'STAGE=quic ']) {
      const error = await refused(`STATUS TRANSPORT=a PORT={port} CONNECT=Failed ${stage}ERRSTR="no luck"`)
      expect(error).toMatchObject({ code: 'PT_HANDSHAKE', stage: undefined, reply: 5, reported: 'no luck' })
      expect(error.message).toBe('a: the connection failed')
    }
  })
})

describe('PT_SOCKS_REFUSED: a refusal has the meaning of its reply and what the PT said about it', () => {
  async function refused(...lines: string[]): Promise<PtError> {
    await using pt = await launchClient({ exec: fixture('refuse', ...lines), transports: ['a'], stateDir: tempDir() })
    const args = { url: 'https://cdn.example/secret-path?k=v', cert: 'SECRETCERTSECRETCERT' }
    const error = await failureOf(pt.connect('a', 'bridge:443', { args }))
    expect(error).toMatchObject({ code: 'PT_SOCKS_REFUSED', reply: 5 })
    expect(error.message).toMatch(/^a: .*refused/)
    return error
  }

  test('STATUS-2: by a STATUS of its transport, without addresses', async () => {
    const status = 'STATUS TRANSPORT=a ADDRESS=192.0.2.1:1 CONNECT=Failed FINGERPRINT=F00 ERRSTR="no route"'
    const error = await refused(status)
    expect(error.reported).toBe('CONNECT=Failed ERRSTR=no route')
    expect(error.message).not.toContain('no route')
  })

  test('not by a STATUS that names another connection', async () => {
    const error = await refused('STATUS TRANSPORT=a PORT=1 CONNECT=Failed STAGE=mark ERRSTR="another one"')
    expect([error.stage, error.reported]).toEqual([undefined, undefined])
  })

  test('LOG-2: by a LOG of a warning', async () => {
    const { reported } = await refused('LOG SEVERITY=warning MESSAGE="handshake: bad cert"')
    expect(reported).toBe('handshake: bad cert')
  })

  test('without what would command a terminal, and not without end', async () => {
    const { reported } = await refused(
      `LOG SEVERITY=error MESSAGE="\\033[2Jred\\n\\rfake \\302\\233 ${'x '.repeat(2_000)}"`,
    )
    expect(reported).toMatch(/^ \[2Jred {2}fake /)
    expect(reported).not.toMatch(/\p{Cc}/u)
    expect(reported!.length).toBe(501)
  })

  test('ANON-1, ANON-4: without what the parent knows of the bridge, and without what looks like an address', async () => {
    const words =
      'dial tcp 203.0.113.7:443 of bridge: SECRETCERT, url https://cdn.example/secret-path, front cdn.example, /secret-path?k=v'
    const error = await refused(`LOG SEVERITY=error MESSAGE="${words}"`)
    expect(error.reported).toBe(
      'dial tcp [scrubbed] of [scrubbed]: [scrubbed], url [scrubbed], front [scrubbed], [scrubbed]',
    )
    expect(inspect(error, { depth: 9 })).not.toMatch(/203\.0\.113|bridge|SECRET|cdn|secret-path/)
  })

  test.each([
    ['nothing'],
    ['a success', 'STATUS TRANSPORT=a CONNECT=Success'],
    ['another transport', 'STATUS TRANSPORT=b CONNECT=Failed ERRSTR=x'],
    ['a mere notice', 'LOG SEVERITY=notice MESSAGE=x'],
  ])('not by %s', async (_, ...lines) => {
    expect((await refused(...lines)).reported).toBeUndefined()
  })
})
