/**
 * Our obfs4 with obfs4proxy and lyrebird (Go), each as client and as server. With iat-mode 1 and 2 fewer bytes are sent: both
 * sides pause for about 5 ms after each piece.
 */
import { createHash, randomBytes, randomInt } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { formatAddress } from 'postern/ipc'
import type { ClientPt, ServerPt } from 'postern/parent'
import { launchClient, launchServer } from 'postern/parent'
import type { TestContext } from 'vitest'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { plainKernel } from '../../src/transports/obfs4/frames/plain.ts'
import { makeObfs4 } from '../../src/transports/obfs4/make.ts'
import { peer, root, tempDir } from '../support.ts'
import type { GoPeer } from './go-peers.ts'
import { goPeers } from './go-peers.ts'
import {
  handshakeVector,
  identity,
  identityOptions,
  makeClient,
  makeServer,
  serve,
  session,
} from '../transports/obfs4/support.ts'
import { streamOf } from '../launch-options.ts'

const KiB = 1024
const { cert } = handshakeVector

/** iat-mode, and how many bytes go each way. */
const modes = [
  ['0', 8 * KiB * KiB],
  ['1', 256 * KiB],
  ['2', 96 * KiB],
] as const

const argumentStyles = [
  ['cert', { cert }],
  ['node-id and public-key', { 'node-id': handshakeVector.node_id, 'public-key': identity.publicKey.toString('hex') }],
] as const

/** Writes `size` random bytes in pieces of 1 byte to 20 KiB; resolves with their hash once all are handed over. */
async function upload(conn: Duplex, size: number): Promise<string> {
  const hash = createHash('sha256')
  for (let left = size; left > 0;) {
    const piece = randomBytes(Math.min(left, randomInt(2) === 0 ? randomInt(1, 1_500) : randomInt(1, 20 * KiB)))
    left -= piece.length
    hash.update(piece)
    if (!conn.write(piece)) await new Promise((resolve) => conn.once('drain', resolve))
  }
  return hash.digest('hex')
}

/** The hash of the next `size` bytes; rejects where the connection ends before. */
function download(conn: Duplex, size: number): Promise<string> {
  const hash = createHash('sha256')
  let left = size
  return new Promise((resolve, reject) => {
    const short = (): void => reject(new Error(`closed ${left} bytes before the end`))
    const take = (chunk: Buffer): void => {
      hash.update(chunk)
      left -= chunk.length
      if (left > 0) return
      conn.off('data', take).off('close', short).off('end', short).pause()
      resolve(left < 0 ? `${-left} bytes too many` : hash.digest('hex'))
    }
    conn.on('error', reject).on('close', short).on('end', short).on('data', take).resume()
  })
}

async function exchange(a: Duplex, b: Duplex, size: number): Promise<void> {
  const received = Promise.all([download(b, size), download(a, size)])
  const sent = Promise.all([upload(a, size), upload(b, size)])
  expect(await received).toEqual(await sent)
}

interface Far {
  readonly target: string
  next(): Promise<Duplex>
}

/** A PT server with the identity of the vectors, from whose seed no length of 0 follows: obfs4proxy would panic. */
async function launchPtServer(
  exec: string | readonly string[],
  iatMode: string,
  stateDir: string,
): Promise<Far & { pt: ServerPt }> {
  const waiting: { resolve(conn: Duplex): void }[] = []
  const accepted: Duplex[] = []
  const pt = await launchServer({
    exec,
    transports: [{ name: 'obfs4', bindAddress: '127.0.0.1:0', options: { ...identityOptions, 'iat-mode': iatMode } }],
    stateDir,
    onConnection({ conn }) {
      const waiter = waiting.shift()
      if (waiter === undefined) accepted.push(conn)
      else waiter.resolve(conn)
    },
  })
  onTestFinished(async () => void (await pt.stop()))
  return {
    pt,
    target: formatAddress(pt.methods.get('obfs4')!.address),
    next: async () => accepted.shift() ?? (await new Promise<Duplex>((resolve) => waiting.push({ resolve }))),
  }
}

async function launchPtClient(exec: string | readonly string[]): Promise<ClientPt> {
  const pt = await launchClient({ exec, transports: ['obfs4'], stateDir: tempDir() })
  onTestFinished(async () => void (await pt.stop()))
  return pt
}

async function theirServer(context: TestContext, program: GoPeer, iatMode: string): Promise<Far & { pt: ServerPt }> {
  return await launchPtServer(peer(program, context), iatMode, tempDir())
}

async function theirClient(context: TestContext, program: GoPeer): Promise<ClientPt> {
  return await launchPtClient(peer(program, context))
}

async function ourServer(iatMode: string): Promise<Far> {
  return await serve(await makeServer(makeObfs4(), tempDir(), { ...identityOptions, 'iat-mode': iatMode }))
}

describe.each(goPeers)('our client to the server of %s', (program) => {
  test.for(modes)(
    'iat-mode %s: %i bytes each way in random writes, equal by hash',
    async ([iatMode, size], context) => {
      const server = await theirServer(context, program, iatMode)
      const client = await makeClient(makeObfs4())
      const conn = await client.dial(session(server.target, { cert, 'iat-mode': iatMode }))
      await exchange(conn, await server.next(), size)
    },
  )

  test('1 MiB each way without WebAssembly', async (context) => {
    const server = await theirServer(context, program, '0')
    const client = await makeClient(makeObfs4({ frameKernel: () => plainKernel }))
    const conn = await client.dial(session(server.target, { cert, 'iat-mode': '0' }))
    await exchange(conn, await server.next(), KiB * KiB)
  })

  test.for(argumentStyles)('arguments as %s', async ([, args], context) => {
    const server = await theirServer(context, program, '0')
    const client = await makeClient(makeObfs4())
    const conn = await client.dial(session(server.target, { ...args, 'iat-mode': '0' }))
    await exchange(conn, await server.next(), 10 * KiB)
  })

  test('200 handshakes in a row', async (context) => {
    const server = await theirServer(context, program, '0')
    const client = await makeClient(makeObfs4())
    for (let count = 0; count < 200; count++) {
      const conn = await client.dial(session(server.target, { cert, 'iat-mode': '0' }))
      const far = await server.next()
      far.write(`answer ${count}`)
      expect(String(await new Promise((resolve) => conn.once('data', resolve)))).toBe(`answer ${count}`)
      conn.destroy()
      far.destroy()
    }
  })
})

describe.each(goPeers)('the client of %s to our server', (program) => {
  test.for(modes)(
    'iat-mode %s: %i bytes each way in random writes, equal by hash',
    async ([iatMode, size], context) => {
      const server = await ourServer(iatMode)
      const client = await theirClient(context, program)
      const conn = await client.connect('obfs4', server.target, { args: { cert, 'iat-mode': iatMode } })
      const far = await server.next()
      // Before it has read our seed it shapes by a random one, in which a length of 0 may be, and panics on it.
      far.write('first')
      expect(await download(conn, 5)).toBe(createHash('sha256').update('first').digest('hex'))
      await exchange(conn, far, size)
    },
  )

  test.for(argumentStyles)('arguments as %s', async ([, args], context) => {
    const server = await ourServer('0')
    const client = await theirClient(context, program)
    const conn = await client.connect('obfs4', server.target, { args: { ...args, 'iat-mode': '0' } })
    await exchange(conn, await server.next(), 10 * KiB)
  })

  test('200 handshakes in a row', async (context) => {
    const server = await ourServer('0')
    const client = await theirClient(context, program)
    for (let count = 0; count < 200; count++) {
      const conn = await client.connect('obfs4', server.target, { args: { cert, 'iat-mode': '0' } })
      const far = await server.next()
      conn.write(`question ${count}`)
      expect(String(await new Promise((resolve) => far.once('data', resolve)))).toBe(`question ${count}`)
      conn.destroy()
      far.destroy()
    }
  })
})

test.for(goPeers)(
  'what comes in one segment with our answer, the client of %s reads with what comes next',
  async (program, context) => {
    // With the least padding, so that all of it fits into one read of the peer, which takes 8192 bytes at a time.
    const server = await makeServer(makeObfs4({ randomInt: () => 0 }), tempDir())
    const stop = new AbortController()
    const accepted = new Promise<Duplex>((resolve) => {
      const listening = createServer({ allowHalfOpen: true, noDelay: true }, (conn) => {
        onTestFinished(() => void conn.destroy())
        conn.cork()
        void server.accept({ conn, signal: stop.signal, log: () => {}, status: () => {} }).then((taken) => {
          const stream = streamOf(taken)
          stream.on('error', () => {}).write('together with the answer, ')
          setImmediate(() => conn.uncork())
          resolve(stream)
        })
      })
      onTestFinished(() => void listening.close())
      listening.listen(0, '127.0.0.1', () => void dial((listening.address() as AddressInfo).port))
    })
    const dial = async (port: number): Promise<void> => {
      const client = await theirClient(context, program)
      const conn = await client.connect('obfs4', `127.0.0.1:${port}`, { args: { cert, 'iat-mode': '0' } })
      conn.once('data', (bytes) => received.push(String(bytes)))
      ;(await accepted).write('and then more')
    }
    const received: string[] = []
    await vi.waitUntil(() => received.length > 0, 50_000)
    expect(received).toEqual(['together with the answer, and then more'])
  },
)

describe.each(goPeers)('one state directory for us and %s', (program) => {
  const files = ['obfs4_state.json', 'obfs4_bridgeline.txt']
  const lastLine = (text: string): string | undefined => text.trimEnd().split('\n').at(-1)

  async function contents(folder: string): Promise<string[]> {
    for (const file of files) expect((await stat(join(folder, file))).mode & 0o777).toBe(0o600)
    return await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')))
  }

  /** What a Go program says of a folder: starts it, and ends it again. */
  async function theirArgs(context: TestContext, program: GoPeer, stateDir: string): Promise<Record<string, string>> {
    await using pt = await launchServer({
      exec: peer(program, context),
      transports: [{ name: 'obfs4', bindAddress: '127.0.0.1:0' }],
      stateDir,
      onConnection: ({ conn }) => conn.destroy(),
    })
    return Object.fromEntries(pt.methods.get('obfs4')!.args)
  }

  test('made by them: the same cert from us, and their files as they were', async (context) => {
    const folder = tempDir()
    const theirs = await theirArgs(context, program, folder)
    const [state, bridgeLine] = await contents(folder)
    const server = await makeServer(makeObfs4(), folder, {})
    expect(server.args).toEqual(theirs)
    const [ourState, ourBridgeLine] = await contents(folder)
    expect(ourState).toBe(state)
    expect(lastLine(ourBridgeLine!)).toBe(lastLine(bridgeLine!))
    expect(ourBridgeLine!.split('\n').at(-3)).toBe('')
    expect(bridgeLine!.split('\n').at(-3)).toBe('')
  })

  test('made by us: the same cert from them, and the state as it was', async (context) => {
    const folder = tempDir()
    const server = await makeServer(makeObfs4(), folder, { 'iat-mode': '1' })
    const [state, bridgeLine] = await contents(folder)
    expect(await theirArgs(context, program, folder)).toEqual(server.args)
    const [theirState, theirBridgeLine] = await contents(folder)
    expect(theirState).toBe(state)
    expect(lastLine(theirBridgeLine!)).toBe(lastLine(bridgeLine!))
  })

  test('written from options: the same text by both', async (context) => {
    const [mine, theirs] = [tempDir(), tempDir()]
    await makeServer(makeObfs4(), mine, { ...identityOptions, 'iat-mode': '0' })
    const { pt } = await launchPtServer(peer(program, context), '0', theirs)
    await pt.stop()
    expect((await contents(mine)).at(0)).toBe((await contents(theirs)).at(0))
  })
})

describe('whole processes, as tor starts them', () => {
  const ours = [process.execPath, join(root, 'dist/cli/main.js'), 'pt']

  async function launchPair(
    context: TestContext,
    program: GoPeer,
    execs: { readonly client: 'ours' | 'theirs'; readonly server: 'ours' | 'theirs' },
  ): Promise<{ client: ClientPt; server: Far & { pt: ServerPt } }> {
    const exec = { ours, theirs: peer(program, context) }
    const server = await launchPtServer(exec[execs.server], '0', tempDir())
    const client = await launchPtClient(exec[execs.client])
    return { client, server }
  }

  const pairs = [
    ...goPeers.flatMap((program) => [
      { program, client: 'ours' as const, server: 'theirs' as const },
      { program, client: 'theirs' as const, server: 'ours' as const },
    ]),
    { program: 'obfs4proxy' as const, client: 'ours' as const, server: 'ours' as const },
  ]

  test.for(pairs)('client $client, server $server, with $program: 16 MiB each way', async (execs, context) => {
    const { client, server } = await launchPair(context, execs.program, execs)
    const { args } = server.pt.methods.get('obfs4')!
    expect(Object.fromEntries(args)).toEqual({ cert, 'iat-mode': '0' })
    const conn = await client.connect('obfs4', server.target, { args })
    await exchange(conn, await server.next(), 16 * KiB * KiB)
  })

  test('a state file that cannot be read is SMETHOD-ERROR, and stays as it is', async () => {
    const stateDir = tempDir()
    await writeFile(join(stateDir, 'obfs4_state.json'), '{')
    await expect(launchPtServer(ours, '0', stateDir)).rejects.toThrow(/obfs4_state\.json .*restore it, or move it away/)
    expect(await readFile(join(stateDir, 'obfs4_state.json'), 'utf8')).toBe('{')
  })
})
