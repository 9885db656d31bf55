/** Which families a bridge serves by its bind address. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { serveExtOrPort } from '../../src/extor/index.ts'
import type { Address } from '../../src/ipc/index.ts'
import { freePort, peer, tempDir } from '../support.ts'
import { executable, portIn, rotByN, runChild, serverEnv } from '../pt/child.ts'
import { echo } from '../pt/support.ts'

/** What one hears of a service at `host`:`port`: the echo of a word, or an error's code. */
async function hear(host: string, port: number): Promise<string> {
  const conn = connect(port, host)
  onTestFinished(() => void conn.destroy())
  try {
    await once(conn, 'connect')
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? ''
  }
  conn.on('error', () => undefined).write('word')
  const [word] = (await once(conn, 'data')) as [Buffer]
  return String(word)
}

async function server(
  bindAddress: string,
  more: Record<string, string> = {},
): Promise<{ smethod: string; port: number }> {
  const { address } = await echo()
  const env = { TOR_PT_SERVER_BINDADDR: `rot_by_N-${bindAddress}`, TOR_PT_ORPORT: address, ...more }
  const smethod = await runChild({ env: serverEnv(env) }).line('SMETHOD')
  return { smethod, port: portIn(smethod) }
}

test('SM-2: 0.0.0.0 serves IPv4 and IPv6, as with obfs4proxy, and is said as it was asked for', async () => {
  const { smethod, port } = await server('0.0.0.0:0')
  expect(smethod).toBe(`SMETHOD rot_by_N 0.0.0.0:${port} ARGS:N=13`)
  for (const host of ['127.0.0.1', '127.0.0.9', '::1']) expect(await hear(host, port)).toBe('word')
})

test('SM-2: 127.0.0.1 serves IPv4 only, and ::1 IPv6 only', async () => {
  const four = await server('127.0.0.1:0')
  expect(await hear('127.0.0.1', four.port)).toBe('word')
  expect(await hear('::1', four.port)).toBe('ECONNREFUSED')
  const six = await server('[::1]:0')
  expect(await hear('::1', six.port)).toBe('word')
  expect(await hear('127.0.0.1', six.port)).toBe('ECONNREFUSED')
})

test('SM-2: 0.0.0.0 and [::] on one port, of two transports, are each served', async () => {
  const free = await freePort('::')
  const pt = runChild({
    args: ['pt', '--load', rotByN],
    env: serverEnv({
      TOR_PT_SERVER_TRANSPORTS: 'rot_by_N,obfs4',
      TOR_PT_SERVER_BINDADDR: `rot_by_N-0.0.0.0:${free},obfs4-[::]:${free}`,
      TOR_PT_ORPORT: (await echo()).address,
    }),
  })
  await pt.line('SMETHODS DONE')
  expect(pt.lines()[2]).toBe(`SMETHOD rot_by_N 0.0.0.0:${free} ARGS:N=13`)
  expect(pt.lines()[3]).toMatch(/^SMETHOD obfs4 \[::\]:\d+ ARGS:/)
  expect(await hear('127.0.0.1', free)).toBe('word')
})

test('SENV-11: an IPv4 client of 0.0.0.0 is told as IPv4, and an IPv6 client as IPv6', async () => {
  const users: (Address | undefined)[] = []
  const served = await serveExtOrPort({
    cookieFile: join(tempDir(), 'cookie'),
    onConnection({ conn, userAddr }) {
      users.push(userAddr)
      conn.pipe(conn)
    },
  })
  onTestFinished(() => served.close())
  const { host, port: orPort } = served.address
  const { port } = await server('0.0.0.0:0', {
    TOR_PT_ORPORT: '',
    TOR_PT_EXTENDED_SERVER_PORT: `${host}:${orPort}`,
    TOR_PT_AUTH_COOKIE_FILE: served.cookieFile,
  })
  await hear('127.0.0.9', port)
  await hear('::1', port)
  expect(users.map((user) => user?.host)).toEqual(['127.0.0.1', '::1'])
})

test('SM-2: without IPv6, 0.0.0.0 serves IPv4', async (context) => {
  const { address } = await echo()
  // The system as it is without IPv6: a socket for it cannot be had.
  const inject = ['-f', '-qq', '-o', '/dev/null', '-e', 'trace=socket', '-e', 'inject=socket:error=EAFNOSUPPORT:when=1']
  const pt = runChild({
    command: [peer('strace', context), ...inject, process.execPath, executable, 'pt', '--load', rotByN],
    env: serverEnv({ TOR_PT_SERVER_BINDADDR: 'rot_by_N-0.0.0.0:0', TOR_PT_ORPORT: address }),
  })
  const smethod = await pt.line('SMETHOD ')
  expect(smethod).toMatch(/^SMETHOD rot_by_N 0\.0\.0\.0:\d+ /)
  expect(await hear('::1', portIn(smethod))).toBe('ECONNREFUSED')
  expect(await hear('127.0.0.1', portIn(smethod))).toBe('word')
})
