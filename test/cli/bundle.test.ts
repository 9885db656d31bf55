/** The bundle that `postern pt` is, what looks at the runtime before it, and what is told apart across its border. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { clientEnv, executable, portIn, runChild, serverEnv } from '../pt/child.ts'
import { socks } from '../pt/support.ts'
import { root, tempDir } from '../support.ts'

const transports = ['obfs2', 'obfs3', 'obfs4', 'scramblesuit']

/** What is run first and the bundle, with nothing else of the package beside them. */
function aloneInAFolder(): string {
  const folder = tempDir()
  for (const name of ['postern.cjs', 'main.cjs']) copyFileSync(`${root}dist/cli/${name}`, join(folder, name))
  return join(folder, 'postern.cjs')
}

test('every built-in transport runs from the one file, as client and as server', async () => {
  const command = [process.execPath, aloneInAFolder(), 'pt'] as const
  const client = runChild({ command, env: clientEnv({ TOR_PT_CLIENT_TRANSPORTS: transports.join(',') }) })
  await client.line('CMETHODS DONE')
  const server = runChild({
    command,
    env: serverEnv({
      TOR_PT_SERVER_TRANSPORTS: transports.join(','),
      TOR_PT_SERVER_BINDADDR: transports.map((name) => `${name}-127.0.0.1:0`).join(','),
      TOR_PT_SERVER_TRANSPORT_OPTIONS: 'scramblesuit:password=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
    }),
  })
  await server.line('SMETHODS DONE')
  for (const [word, { lines }] of [
    ['CMETHOD', client],
    ['SMETHOD', server],
  ] as const) {
    expect(
      lines()
        .filter((line) => line.startsWith(`${word} `))
        .map((line) => line.split(' ')[1]),
    ).toEqual(transports)
  }
})

test('the engine knows every flag that it is given, and a launch is silent but for its lines', async () => {
  const pt = runChild({ env: clientEnv({ TOR_PT_CLIENT_TRANSPORTS: 'obfs4' }) })
  await socks(portIn(await pt.line('CMETHOD ')), '127.0.0.1:1', 'k=v')
  pt.child.kill('SIGTERM')
  await pt.exit
  expect(pt.stderr()).toBe('')
})

test('a transport of --load has the library beside the bundle, and its errors are known by their code', async () => {
  const file = join(tempDir(), 'strict.mjs')
  writeFileSync(
    file,
    `import { PtError } from ${JSON.stringify(`file://${root}dist/error.js`)}
     export const strict = {
       name: 'strict',
       client: () => ({
         dial() { throw new PtError('PT_HANDSHAKE', 'the wrong key', { stage: 'auth' }) },
       }),
       server() {},
     }`,
  )
  const pt = runChild({ args: ['pt', '--load', file], env: clientEnv({ TOR_PT_CLIENT_TRANSPORTS: 'strict' }) })
  const { reply } = await socks(portIn(await pt.line('CMETHOD ')), '127.0.0.1:1', 'k=v')
  expect(reply).toBe(1)
  expect(await pt.line('STATUS TRANSPORT=strict')).toMatch(
    /^STATUS TRANSPORT=strict PORT=\d+ CONNECT=Failed STAGE=auth ERRSTR="the wrong key"$/,
  )
})

test.each(['main.js', 'postern.cjs', 'main.cjs'])('%s says a mistake of another command in two lines', async (name) => {
  const command = [process.execPath, join(executable, '..', name), 'bridge', 'check', '--frob'] as const
  const { stderr, exit } = runChild({ command })
  expect(await exit).toBe(2)
  expect(stderr()).toBe("postern: Unknown option '--frob'\nTry: postern bridge --help\n")
})

describe('a runtime that is too old', () => {
  /** A process that claims to be another Node from its first instruction on: what is asked of it is all that counts here. */
  const pretending = (version: string, ...args: string[]): readonly [string, ...string[]] => {
    const preload = join(tempDir(), 'pretend.cjs')
    writeFileSync(
      preload,
      `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`,
    )
    return [process.execPath, '--require', preload, `${root}dist/cli/postern.cjs`, ...args]
  }

  test.each(['18.20.8', '16.20.2', '12.22.12', '20.18.3', '0.10.48'])(
    'ERR-1: Node %s is told to a parent in one ENV-ERROR, before anything is promised',
    async (version) => {
      const pt = runChild({ command: pretending(version, 'pt'), env: clientEnv({ TOR_PT_CLIENT_TRANSPORTS: 'obfs4' }) })
      expect(await pt.exit).toBe(1)
      const why = `Postern needs Node 20.19 or newer, and this is Node ${version}`
      expect(pt.stdout()).toBe(`ENV-ERROR ${why}\n`)
      expect(pt.stderr()).toBe(`postern: ${why} (${process.execPath})\n`)
    },
  )

  test.each(['client', 'server', 'run', 'demo', 'bridge', 'check', '--version'])(
    'is told to whoever runs postern %s, in one sentence',
    async (command) => {
      const { exit, stdout, stderr } = runChild({ command: pretending('18.20.8', command) })
      expect(await exit).toBe(1)
      expect(stdout()).toBe('')
      expect(stderr()).toMatch(/^postern: Postern needs Node 20\.19 or newer, and this is Node 18\.20\.8 \(.*\)\n$/)
    },
  )

  test.each(['20.19.0', '21.0.0', '24.1.0'])('is not Node %s', async (version) => {
    const { exit, stdout } = runChild({ command: pretending(version, '--version') })
    expect(await exit).toBe(0)
    expect(stdout()).toMatch(/^postern \d/)
  })

  test('can read the file that says so: it has nothing newer than ECMAScript 5', () => {
    const text = readFileSync(`${root}dist/cli/postern.cjs`, 'utf8').replace(/\/\/.*|'[^'\n]*'|^#!.*/gm, '')
    expect(text).not.toMatch(/=>|`|\b(?:let|const|class|async|await|import|of)\b|\?\.|\?\?|\.\.\.|,\s*[)\]}]/)
  })

  test('has the bound that package.json has', () => {
    const { engines } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { engines: { node: string } }
    expect(engines.node).toBe('>=20.19')
    expect(readFileSync(`${root}dist/cli/postern.cjs`, 'utf8')).toContain('var needed = [20, 19]')
  })
})
