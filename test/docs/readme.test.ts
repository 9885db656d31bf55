/** The code of README.md, run as it stands there. */
import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { launchServer } from 'postern'
import { transportCases } from 'postern/testing'
import type { Transport } from 'postern/transport'
import { describe, expect, test } from 'vitest'
import { serve, startBridge } from '../bridges/bridges.ts'
import { root, tempDir } from '../support.ts'

const pt = [process.execPath, join(root, 'dist/cli/main.js'), 'pt']
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const programs = [...readme.matchAll(/```js\n(.*?)```/gs)].map((match) => match[1] ?? '')
const programWith = (word: string): string => programs.find((program) => program.includes(word)) ?? ''
const parentProgram = programWith('launchClient')
const connectProgram = programWith('connectBridge')
const bridgeProgram = programWith('bridgeFetch')
const flip = programWith('export default')

/** Inside the package, where its name leads to what was built. */
function save(name: string, text: string): string {
  const dir = join(root, 'dist/readme')
  mkdirSync(dir, { recursive: true })
  writeFileSync(join(dir, name), text)
  return join(dir, name)
}

test('the parent in ten lines connects, writes, reads to the end, and stops', async () => {
  await using server = await launchServer({
    exec: pt,
    transports: [{ name: 'obfs4', bindAddress: '127.0.0.1:0' }],
    stateDir: join(tempDir(), 'server'),
    onConnection: ({ conn }) => conn.once('data', (chunk: Buffer) => conn.end(`heard: ${chunk.toString()}`)),
  })
  const { address, args } = server.methods.get('obfs4')!
  // Only what stands for the reader's own is replaced.
  const program = parentProgram
    .replace("'/usr/bin/obfs4proxy'", JSON.stringify(pt))
    .replace("'/var/lib/my-app/pt'", JSON.stringify(join(tempDir(), 'client')))
    .replace('192.0.2.7:443', `127.0.0.1:${address.port}`)
    .replace("cert: '…'", `cert: '${args.get('cert')}'`)
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [save('parent.mjs', program)])
  expect({ stdout, stderr }).toEqual({ stdout: 'heard: a Duplex, like every other\n', stderr: '' })
})

test('a bridge line is all that a request needs', async () => {
  const web = createServer((request, response) =>
    response.writeHead(request.headers.host === 'example.com' ? 204 : 500).end(),
  )
  // Only what stands for the reader's own is replaced.
  const program = bridgeProgram
    .replace("'obfs4 192.0.2.7:443 cert=… iat-mode=0'", JSON.stringify(await startBridge(await serve(web))))
    .replace('https://example.com/', 'http://example.com/')
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [save('bridge.mjs', program)])
  expect({ stdout, stderr }).toEqual({ stdout: '204\n', stderr: '' })
})

test('a bridge line is all that a connection needs', async () => {
  const service = createTcpServer((conn) =>
    conn.once('data', (chunk: Buffer) => conn.end(`heard: ${chunk.toString()}`)),
  )
  const line = JSON.stringify(await startBridge(await serve(service)))
  const program = connectProgram.replace("'obfs4 192.0.2.7:443 cert=… iat-mode=0'", line)
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [save('connect.mjs', program)])
  expect({ stdout, stderr }).toEqual({ stdout: 'heard: a Duplex, like every other\n', stderr: '' })
})

describe('the transport in ten lines', async () => {
  const { default: transport } = (await import(pathToFileURL(save('flip.mjs', flip)).href)) as { default: Transport }
  for (const { name, run } of transportCases(transport)) test(name, run)
})
