import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { duplexPair } from 'node:stream'
import { Args, formatMessage, transportStatus } from 'postern/ipc'
import { readExactly } from 'postern/io'
import { transportCases } from 'postern/testing'
import type { Report } from 'postern/transport'
import { describe, expect, test } from 'vitest'
import { trebuchet } from '../../examples/trebuchet.ts'
import { tempDir } from '../support.ts'
import { clientOptions, serverOptions, streamOf } from '../launch-options.ts'

describe('trebuchet', () => {
  const options = { badServerOptions: [{ cows: '0' }] }
  for (const { name, run } of transportCases(trebuchet, { ...options, patience: 20_000 })) test(name, run)
})

const report: Report = { log: () => {}, status: () => {} }

test('CM-2, SM-5: it does not launch without rocks, or cows', async () => {
  const stateDir = tempDir()
  await expect((async () => await trebuchet.client(clientOptions({ stateDir })))()).resolves.toBeDefined()
  writeFileSync(join(stateDir, 'trebuchet_rocks'), '0\n')
  await expect((async () => await trebuchet.client(clientOptions({ stateDir })))()).rejects.toThrow(
    /^no rocks available$/,
  )
  const args = Args.from({ cows: '0' })
  await expect((async () => await trebuchet.server(serverOptions({ stateDir, args })))()).rejects.toThrow(
    /^no cows available$/,
  )
})

test('STATUS-1: it says how far a connection is, and where to nobody', async () => {
  const said: string[] = []
  const status: Report['status'] = (pairs) => void said.push(formatMessage(transportStatus('trebuchet', pairs)))
  const [near, far] = duplexPair()
  const stateDir = tempDir()
  const signal = new AbortController().signal
  const client = await trebuchet.client(clientOptions({ stateDir }))
  const server = await trebuchet.server(serverOptions({ stateDir, args: Args.none }))
  const accepted = server.accept({ conn: far, signal, ...report })
  await client.dial({ target: '192.0.2.1:1', args: Args.none, connect: async () => near, signal, ...report, status })
  await accepted
  expect(said).toEqual(['0', '50', '100'].map((percent) => `STATUS TRANSPORT=trebuchet PERCENT=${percent}\n`))
})

test('a stone of impossible size ends the connection, behind what was thrown before it', async () => {
  const [near, far] = duplexPair()
  const server = await trebuchet.server(serverOptions({ stateDir: tempDir(), args: Args.none }))
  const stones = ['00000000', '00020001aabb', 'ffff0000']
  far.write(Buffer.from(stones.join(''), 'hex'))
  const stream = streamOf(await server.accept({ conn: near, signal: new AbortController().signal, ...report }))
  const failed = new Promise((resolve) => stream.once('error', resolve))
  expect(await readExactly(stream, 1)).toEqual(Buffer.of(0xaa))
  stream.resume()
  expect(String(await failed)).toContain('a stone of impossible size')
})
