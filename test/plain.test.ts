/** POSTERN_PLAIN=1: a whole connection of obfs4 through two PTs, and what of the engine they touched for it. */
import { randomBytes } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { formatAddress, launchClient, launchServer } from 'postern'
import { readExactly } from 'postern/io'
import { expect, test } from 'vitest'
import { root, tempDir } from './support.ts'

const trap = pathToFileURL(join(root, 'test/fixtures/plain/trap.mjs')).href
const exec = [process.execPath, '--import', trap, join(root, 'dist/cli/main.js'), 'pt']

/** Carries bytes through two PTs, and returns what they said to have touched, sorted, each once. */
async function touched(variables: Readonly<Record<string, string>>): Promise<string[]> {
  const found = new Set<string>()
  const env = { PATH: process.env['PATH'] ?? '', ...variables }
  const onEvent = (event: { readonly type: string; readonly text?: string }): void => {
    for (const [, name] of JSON.stringify(event).matchAll(/touched (\w+)/g)) found.add(name!)
  }
  await using server = await launchServer({
    exec,
    env,
    onEvent,
    stateDir: tempDir(),
    transports: [{ name: 'obfs4', bindAddress: '127.0.0.1:0' }],
    onConnection: ({ conn }) => void conn.pipe(conn),
  })
  await using client = await launchClient({ exec, env, onEvent, transports: ['obfs4'], stateDir: tempDir() })
  const { address, args } = server.methods.get('obfs4')!
  const conn = await client.connect('obfs4', formatAddress(address), { args })
  const bytes = randomBytes(300_000)
  conn.write(bytes)
  expect((await readExactly(conn, bytes.length)).equals(bytes)).toBe(true)
  conn.destroy()
  await client.stop()
  await server.stop()
  return [...found].toSorted()
}

test('in plain mode no part of the engine is touched', async () => {
  expect(await touched({ POSTERN_PLAIN: '1' })).toEqual([])
})

test.each([{}, { POSTERN_PLAIN: '0' }, { POSTERN_PLAIN: '' }])(
  'with %j the same connection touches it',
  async (env) => {
    expect(await touched(env)).toEqual(expect.arrayContaining(['Instance', 'binding', 'setFlagsFromString']))
  },
)

test.each([
  { plain: '1', pauses: false },
  { plain: '0', pauses: true },
])('POSTERN_PLAIN=$plain: turns that are full of bytes are followed by a pause: $pauses', ({ plain, pauses }) => {
  const program = `
    import { coalescing } from ${JSON.stringify(pathToFileURL(join(root, 'dist/io/carry/coalesce.js')).href)}
    for (let turn = 0; turn < 200; turn++) {
      coalescing.count(32_768, false)
      await new Promise(setImmediate)
    }`
  const args = ['--import', trap, '--input-type=module', '--eval', `${program}\nconsole.log('done')`]
  const env = { PATH: process.env['PATH'], POSTERN_PLAIN: plain }
  const said = execFileSync('sh', ['-c', 'exec "$0" "$@" 2>&1', process.execPath, ...args], { env, encoding: 'utf8' })
  expect(said).toContain('done')
  expect(said.includes('touched wait')).toBe(pauses && process.platform === 'linux')
})
