/** The commands and the program of docs/webtunnel.md, run as they stand there. Only what stands for the reader's own is replaced. */
import type { ChildProcess } from 'node:child_process'
import { execFile, spawn } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { serve } from '../bridges/bridges.ts'
import { rootPem, startFront } from '../interop/webtunnel/fronts.ts'
import { freePort, peer, root, tempDir } from '../support.ts'

const page = readFileSync(join(root, 'docs/webtunnel.md'), 'utf8')
const commands = [...page.matchAll(/```sh\n(.*?)```/gs)].map(([, block = '']) => block)
const program = /```js\n(.*?)```/s.exec(page)?.[1] ?? ''

/** The command of the page that has these words, with its continued lines. */
function commandWith(words: string): string {
  const lines = commands.flatMap((block) => block.replaceAll('\\\n', '').split('\n'))
  const found = lines.find((line) => line.includes(words))
  if (found === undefined) throw new Error(`no command of the page has ${words}`)
  return found.replace(/ +#.*$/, '')
}

/** A shell in which `postern` is what was built, in a folder and a home of its own. */
class Shell {
  readonly dir = tempDir()
  readonly #env: Record<string, string>

  constructor() {
    const bin = join(this.dir, 'bin')
    mkdirSync(bin)
    writeFileSync(join(bin, 'postern'), `#!/bin/sh\nexec "${process.execPath}" "${root}dist/cli/main.js" "$@"\n`)
    chmodSync(join(bin, 'postern'), 0o755)
    writeFileSync(join(this.dir, 'root.pem'), rootPem)
    this.#env = { PATH: `${bin}:${process.env['PATH']}`, HOME: this.dir, SSL_CERT_FILE: join(this.dir, 'root.pem') }
  }

  async run(command: string): Promise<string> {
    const options = { cwd: this.dir, env: this.#env }
    const { stdout, stderr } = await promisify(execFile)('bash', ['-c', command], options)
    expect(stderr).toBe('')
    return stdout
  }

  /** Starts what runs until it is told to end; its first line of output that has `words`. */
  async start(command: string, words: string): Promise<string> {
    const child: ChildProcess = spawn('bash', ['-c', `exec ${command}`], { cwd: this.dir, env: this.#env })
    const closed = once(child, 'close')
    onTestFinished(async () => {
      child.kill('SIGTERM')
      await closed
    })
    for await (const line of createInterface({ input: child.stdout! })) if (line.includes(words)) return line
    throw new Error(`it ended without ${words}: ${await text(child.stderr!)}`)
  }
}

test('from a name to a bridge: the secret, the configuration of each web server, the bridge, its line, a user, an application', async (context) => {
  const shell = new Shell()
  const [frontPort, ptPort, localPort] = [await freePort(), await freePort(), await freePort()]
  await shell.run(commandWith('postern webtunnel url').replace('bridge.example', `bridge.example:${frontPort}`))
  const options = readFileSync(join(shell.dir, 'webtunnel.options'), 'utf8')
  const url = /^url=(.*)\n$/.exec(options)![1]!
  expect(url.replace(/[A-Za-z0-9]{24}$/, 'kTq8Zr2LwXc5Vb7Nm9Pd4Sf6')).toBe(
    /^url=(.*)$/m.exec(page)![1]!.replace('bridge.example', `bridge.example:${frontPort}`),
  )

  for (const [name, word] of [
    ['nginx', 'location = '],
    ['caddy', 'reverse_proxy '],
    ['haproxy', 'use_backend '],
  ] as const) {
    const printed = await shell.run(commandWith(`front ${name}`).replace(/ >>? .*$/, ''))
    expect(printed).toContain(word)
    expect(printed).toContain(new URL(url).pathname)
  }

  const web = await serve(createServer((request, response) => response.end(`hello ${request.headers.host}`)))
  const command = commandWith('postern server webtunnel')
    .replace('15000', String(ptPort))
    .replace('127.0.0.1:22', `127.0.0.1:${web}`)
  const said = await shell.start(`${command} --print-line`, 'bridge line webtunnel')
  const line = said.slice(said.indexOf('webtunnel '))
  await startFrontHere(context, { url, ptPort })

  // The form of the line is the one that the page shows.
  const shape = (text: string): string =>
    text.replace(/\[2001:db8:[0-9a-f:]+\]/, 'ADDRESS').replace(/url=\S+/, 'url=URL')
  expect(shape(line)).toBe(shape(/bridge line (webtunnel .*)$/m.exec(page)![1]!))
  const fingerprint = '0123456789ABCDEF0123456789ABCDEF01234567'
  const printed = await shell.run(commandWith('postern webtunnel line').replace(/"\$\(.*\)"/, fingerprint))
  expect(printed.trimEnd()).toBe(line.replace(']:443 ', `]:443 ${fingerprint} `))

  // There is no resolver here that knows the name.
  const own = `${line} addr=127.0.0.1:${frontPort}`
  writeFileSync(join(shell.dir, 'bridge.txt'), `${own}\n`, { mode: 0o600 })
  expect(await shell.run(commandWith('postern bridge check'))).toMatch(/^line 1, webtunnel: nothing wrong\n$/)
  expect(await shell.run(commandWith('postern bridge test').replace(/--file \S+/, '--file ~/bridge.txt'))).toMatch(
    /^1 +webtunnel +works/m,
  )
  await shell.start(commandWith('postern client').replace('9000', String(localPort)), 'client: listen')
  const conn = connect(localPort, '127.0.0.1')
  conn.write('GET / HTTP/1.0\r\nHost: behind\r\n\r\n')
  expect(await text(conn)).toMatch(/hello behind$/)

  const file = join(root, 'dist/readme/webtunnel.mjs')
  mkdirSync(join(root, 'dist/readme'), { recursive: true })
  writeFileSync(
    file,
    program.replace(/'webtunnel [^']*'/, JSON.stringify(own)).replace('https://example.com/', 'http://example.com/'),
  )
  expect(await shell.run(`"${process.execPath}" "${file}"`)).toBe('200\n')
})

async function startFrontHere(
  context: Parameters<typeof startFront>[0],
  { url, ptPort }: { url: string; ptPort: number },
): Promise<void> {
  const front = await startFront(context, { kind: 'nginx', ptPort, url })
  onTestFinished(() => front[Symbol.asyncDispose]())
}

test('the pin of a certificate of one’s own making is lyrebird’s hash of a chain of one', async (context) => {
  peer('openssl', context)
  const shell = new Shell()
  await shell.run(`${commandWith('openssl req')} 2>&1`)
  const pin = (await shell.run(commandWith('openssl x509'))).trim()
  const { raw } = new X509Certificate(readFileSync(join(shell.dir, 'cert.pem')))
  expect(pin).toBe(createHash('sha256').update(raw).digest('base64'))
})
