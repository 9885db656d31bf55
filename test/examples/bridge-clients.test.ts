import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { root, tempDir } from '../support.ts'
import { serve, startBridge } from '../bridges/bridges.ts'

const tls = {
  key: readFileSync(`${root}test/fixtures/app/key.pem`),
  cert: readFileSync(`${root}test/fixtures/app/cert.pem`),
}
const greeting = 'hello from behind the bridge'

async function run(example: string, line: string): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const file = join(tempDir(), 'bridge.txt')
  writeFileSync(file, `# mine\n> ${line}\n`)
  const child = spawn(process.execPath, [`${root}dist/examples/${example}.js`, file], {
    env: { NODE_EXTRA_CA_CERTS: `${root}test/fixtures/app/cert.pem` },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const status = new Promise<number | null>((resolve) => child.once('close', resolve))
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { status: await status, stdout, stderr }
}

test('examples/fetch.ts: a fetch that is bound to a bridge', async () => {
  const port = await serve(createHttpServer((request, response) => response.end(`${greeting} ${request.headers.host}`)))
  expect(await run('fetch', await startBridge(port))).toMatchObject({
    status: 0,
    stdout: `${greeting} bridge.example\n`,
  })
})

test('examples/https-get.ts: https.get through a bridge line, with the certificate verified', async () => {
  const port = await serve(createHttpsServer(tls, (_, response) => response.end(greeting)))
  expect(await run('https-get', await startBridge(port))).toMatchObject({ status: 0, stdout: greeting, stderr: '' })
})

test.each(['fetch', 'https-get'])('examples/%s.ts has ten lines of code at most', (example) => {
  const code = readFileSync(`${root}examples/${example}.ts`, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '')
  expect(code.split('\n').filter((line) => line.trim() !== '').length).toBeLessThan(11)
})
