/** `half-open`, as a flag and as a key: the end of a request leaves the answer its time, if both ends have the option. */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { serve } from '../bridges/bridges.ts'
import { freePort, tempDir } from '../support.ts'
import { ready, start } from './postern.ts'

/** Answers a request when it has ended, and not before. */
async function serveAnswers(): Promise<number> {
  return await serve(
    createServer({ allowHalfOpen: true }, (conn) => {
      let request = ''
      conn.setEncoding('utf8').on('error', () => undefined)
      conn.on('data', (part: string) => (request += part)).on('end', () => conn.end(`answer to ${request}`))
    }),
  )
}

/** Sends a request, ends, and resolves with all that comes then. */
async function ask(port: number): Promise<string> {
  const conn = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  onTestFinished(() => void conn.destroy())
  await once(conn, 'connect')
  conn.end('request')
  return await text(conn).catch(() => 'nothing')
}

async function startPair(flags: readonly string[]): Promise<number> {
  const forward = ['--listen=127.0.0.1:0', `--forward=127.0.0.1:${await serveAnswers()}`, `--state-dir=${tempDir()}`]
  const server = start('server', 'obfs4', ...forward, ...flags)
  const client = start('client', (await ready(server, 'server')).bridgeLine, ...flags)
  return Number((await ready(client, 'client')).listen.split(':')[1])
}

test('with --half-open at both ends the answer comes after the end of the request', async () => {
  expect(await ask(await startPair(['--half-open']))).toBe('answer to request')
})

test('without it the end of the request ends the connection, as with obfs4proxy', async () => {
  expect(await ask(await startPair([]))).not.toContain('answer')
})

test('half-open = true in a file does the same', async () => {
  const [bridge, port] = [await freePort(), await freePort()]
  const file = join(tempDir(), 't.toml')
  writeFileSync(
    file,
    `[server.s]\ntransport = "obfs3"\nlisten = "127.0.0.1:${bridge}"\nforward = "127.0.0.1:${await serveAnswers()}"\n` +
      `state-dir = "s"\nhalf-open = true\n` +
      `[client.c]\nlisten = "127.0.0.1:${port}"\nbridges = ["obfs3 127.0.0.1:${bridge}"]\nhalf-open = true\n`,
  )
  const running = start('run', file)
  await Promise.all([ready(running, 's'), ready(running, 'c')])
  expect(await ask(port)).toBe('answer to request')
})
