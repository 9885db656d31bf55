import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer, connect } from 'node:net'
import { once } from 'node:events'
import type { TestContext } from 'vitest'
import { describe, expect, test } from 'vitest'
import { serve, serveEcho, startBridge, withWrongCert } from '../bridges/bridges.ts'
import { postern, ready, start } from '../cli/postern.ts'
import { freePort, long, peer, tempDir, tunnelPts } from '../support.ts'

const MiB = 2 ** 20

/** `--exec obfs4proxy`, or nothing for our own PT. */
function execFlags(who: string, context: TestContext): string[] {
  return who === 'obfs4proxy' ? ['--exec', peer('obfs4proxy', context)] : []
}

/** A pair of `postern server` and `postern client` in front of a port. */
async function startPair(port: number, flags: string[]): Promise<{ host: string; port: string }> {
  const server = start(
    'server',
    'obfs4',
    '--listen=127.0.0.1:0',
    `--forward=127.0.0.1:${port}`,
    `--state-dir=${tempDir()}`,
    ...flags,
  )
  const { bridgeLine } = await ready(server, 'server')
  const client = start('client', bridgeLine, ...flags)
  const [host = '', local = ''] = (await ready(client, 'client')).listen.split(':')
  return { host, port: local }
}

async function output(program: string, args: string[], input?: Buffer): Promise<{ status: number; bytes: Buffer }> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.on('error', () => undefined).end(input)
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  const [status] = (await once(child, 'close')) as [number]
  return { status, bytes: Buffer.concat(chunks) }
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

describe.each(tunnelPts)('postern client and postern server with obfs4 of %s', (who) => {
  const size = long ? 100 : 32
  test(`curl fetches ${size} MiB, equal by SHA-256`, async (context) => {
    const flags = execFlags(who, context)
    const file = Buffer.concat(Array.from({ length: size }, () => randomBytes(MiB)))
    const web = await serve(createHttpServer((_, response) => response.end(file)))
    const { host, port } = await startPair(web, flags)
    const fetched = await output(peer('curl', context), ['-s', `http://${host}:${port}/`])
    expect([fetched.status, sha256(fetched.bytes)]).toEqual([0, sha256(file)])
  }, 240_000)

  test('ncat through both gets an answer', async (context) => {
    const greeter = await serve(createServer((conn) => conn.end('SSH-2.0-here\r\n')))
    const { host, port } = await startPair(greeter, execFlags(who, context))
    const { bytes } = await output(peer('ncat', context), ['--recv-only', host, port])
    expect(bytes.toString()).toBe('SSH-2.0-here\r\n')
  })
})

test.for(tunnelPts)(
  'one dead, one wrong-cert and one good bridge of %s: bridge test names each stage, and the good one is used',
  { timeout: 120_000 },
  async (who, context) => {
    const exec = who === 'obfs4proxy' ? peer('obfs4proxy', context) : undefined
    const good = await startBridge(await serveEcho(), exec === undefined ? {} : { exec })
    const wrong = withWrongCert(await startBridge(await serveEcho(), exec === undefined ? {} : { exec }))
    const dead = good.replace(/ 127\.0\.0\.1:\d+/, ` 127.0.0.1:${await freePort()}`)
    for (const flags of [[], ...(exec === undefined ? [] : [['--exec', exec]])]) {
      const tested = postern(['bridge', 'test', '--json', '--timeout', '2', ...flags, dead, wrong, good])
      const results = JSON.parse(tested.stdout) as { ok: boolean; stage: string | null }[]
      expect(results.map(({ ok, stage }) => [ok, stage])).toEqual([
        [false, 'connect'],
        [false, 'timeout'],
        [true, null],
      ])
      expect(tested.status).toBe(1)
      expect(tested.stdout + tested.stderr).not.toContain('127.0.0.1')
    }
    const client = start('client', dead, wrong, good, ...execFlags(who, context))
    const { listen } = await ready(client, 'client')
    const conn = connect(Number(listen.split(':')[1]), '127.0.0.1')
    // obfs4proxy ends both directions with one, so the end comes last.
    conn.write('there and back')
    const [chunk] = (await once(conn, 'data')) as [Buffer]
    conn.destroy()
    expect(chunk.toString()).toBe('there and back')
    expect(await client.next(({ event, stage }) => event === 'failure' && stage === 'connect')).toBeDefined()
    expect(await client.next(({ event, stage }) => event === 'failure' && stage === 'timeout')).toBeDefined()
  },
)

test('a SOCKS port in front, a SOCKS server behind: curl by name, its allow-list, and the secret', async (context) => {
  const web = await serve(createHttpServer((_, response) => response.end('hello')))
  const allowed = ['--allow', `127.0.0.0/8:${web}`, '--allow', `localhost:${web}`]
  const server = start(
    'server',
    'obfs4',
    '--listen=127.0.0.1:0',
    '--forward=socks',
    `--state-dir=${tempDir()}`,
    ...allowed,
  )
  const { bridgeLine } = await ready(server, 'server')
  const secretFile = `${tempDir()}/secret`
  writeFileSync(secretFile, 'correct horse\n')
  const client = start('client', bridgeLine, '--socks', '--secret-file', secretFile)
  const { listen } = await ready(client, 'client')
  const run = async (user: string, url: string): Promise<string | number | null> => {
    const { status, bytes } = await output(peer('curl', context), [
      '-s',
      '-m20',
      `-xsocks5h://${listen}`,
      ...(user === '' ? [] : ['-U', user]),
      url,
    ])
    return status === 0 ? bytes.toString() : status
  }
  expect(await run('me:correct horse', `http://127.0.0.1:${web}/`)).toBe('hello')
  expect(await run('me:correct horse', `http://localhost:${web}/`)).toBe('hello')
  const CANNOT_CONNECT = 97
  expect(await run('me:wrong horse', `http://127.0.0.1:${web}/`)).toBe(CANNOT_CONNECT)
  expect(await run('', `http://127.0.0.1:${web}/`)).toBe(CANNOT_CONNECT)
  expect(await run('me:correct horse', `http://127.0.0.1:${await freePort()}/`)).toBe(CANNOT_CONNECT)
})
