/** obfs4 on a machine without WebAssembly's vectors: the same transport with the kernel in JavaScript, and the operator is told. */
import { randomBytes } from 'node:crypto'
import { transportCases } from 'postern/testing'
import { describe, expect, test } from 'vitest'
import { plainKernel } from '../../../src/transports/obfs4/frames/plain.ts'
import { readExactly } from '../../../src/io/read.ts'
import { Args } from '../../../src/ipc/index.ts'
import { makeObfs4 } from '../../../src/transports/obfs4/make.ts'
import { executable, runChild } from '../../pt/child.ts'
import { tempDir } from '../../support.ts'
import { handshakeVector, identityOptions, makeClient, makeLog, makeServer, serve, session } from './support.ts'
import { clientOptions, serverOptions } from '../../launch-options.ts'

const fast = makeObfs4()
const plain = makeObfs4({ frameKernel: () => plainKernel })
const args = { cert: handshakeVector.cert, 'iat-mode': '0' }

describe('what every transport has to keep', () => {
  const cases = transportCases(plain, {
    serverOptions: { ...identityOptions, 'iat-mode': '0' },
    silentToProbes: true,
    patience: 10_000,
  })
  for (const { name, run } of cases) test(name, run, 60_000)
})

test.each([
  ['without it to a server with it', plain, fast],
  ['with it to a server without it', fast, plain],
])('a client %s: 1 MiB each way', async (_name, near, far) => {
  const listening = await serve(await makeServer(far, tempDir()))
  const client = await (await makeClient(near)).dial(session(listening.target, args))
  const server = await listening.next()
  const bytes = randomBytes(1 << 20)
  for (const [from, to] of [
    [client, server],
    [server, client],
  ] as const) {
    from.write(bytes)
    const received: Buffer[] = []
    for (let left = bytes.length; left > 0; left -= received.at(-1)!.length) {
      received.push(await readExactly(to, Math.min(left, 8_192)))
    }
    expect(Buffer.concat(received).equals(bytes)).toBe(true)
  }
  client.destroy()
})

test('the operator is told at the start, on both sides', async () => {
  for (const [transport, line] of [
    [plain, /^warning no WebAssembly with SIMD/],
    [fast, /^debug frames are sealed by WebAssembly/],
  ] as const) {
    const log = makeLog()
    await transport.client(clientOptions({ stateDir: tempDir(), ...log }))
    await transport.server(serverOptions({ stateDir: tempDir(), args: Args.none, ...log }))
    expect(log.lines).toEqual([expect.stringMatching(line), expect.stringMatching(line)])
  }
})

test('the operator is told by the process of a PT, in a LOG line before the end of its launch', async () => {
  const env = {
    TOR_PT_MANAGED_TRANSPORT_VER: '1',
    TOR_PT_STATE_LOCATION: tempDir(),
    TOR_PT_CLIENT_TRANSPORTS: 'obfs4',
    TOR_PT_EXIT_ON_STDIN_CLOSE: '1',
  }
  const pt = runChild({ command: [process.execPath, '--jitless', executable, 'pt'], env })
  await pt.line('CMETHODS DONE')
  const lines = pt.lines()
  const at = lines.findIndex((line) => line.startsWith('LOG SEVERITY=warning MESSAGE="obfs4: no WebAssembly with SIMD'))
  expect(at).toBeGreaterThan(0)
  expect(at).toBeLessThan(lines.indexOf('CMETHODS DONE'))
})
