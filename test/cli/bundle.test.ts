/** The one file that `postern pt` is, and what is told apart across its border. */
import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { clientEnv, executable, portIn, runChild, serverEnv } from '../pt/child.ts'
import { socks } from '../pt/support.ts'
import { root, tempDir } from '../support.ts'

const transports = ['obfs2', 'obfs3', 'obfs4', 'scramblesuit']

/** The bundle with nothing of the package beside it. */
function aloneInAFolder(): string {
  const folder = tempDir()
  const file = join(folder, 'postern.cjs')
  copyFileSync(`${root}dist/cli/postern.cjs`, file)
  return file
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
  expect(await pt.line('STATUS TRANSPORT=strict')).toBe(
    'STATUS TRANSPORT=strict CONNECT=Failed STAGE=auth ERRSTR="the wrong key"',
  )
})

test.each(['main.js', 'postern.cjs'])('%s says a mistake of another command in two lines', async (name) => {
  const command = [process.execPath, join(executable, '..', name), 'bridge', 'check', '--frob'] as const
  const { stderr, exit } = runChild({ command })
  expect(await exit).toBe(2)
  expect(stderr()).toBe("postern: Unknown option '--frob'\nTry: postern bridge --help\n")
})
