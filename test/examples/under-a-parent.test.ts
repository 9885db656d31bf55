/** The examples as `postern pt --load` runs them: real PT processes under our parent, server and client. */
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ArgsInit } from 'postern/ipc'
import { formatAddress } from 'postern/ipc'
import { readExactly } from 'postern/io'
import type { PtEvent } from 'postern/parent'
import { launchClient, launchServer } from 'postern/parent'
import { expect, test } from 'vitest'
import { root, tempDir } from '../support.ts'

function ptWith(file: string): string[] {
  return [process.execPath, join(root, 'dist/cli/main.js'), 'pt', '--load', join(root, 'dist/examples', file)]
}

const examples: readonly [
  name: string,
  file: string,
  options: ArgsInit,
  said: readonly (readonly [string, string])[],
][] = [
  ['rot_by_N', 'rot-by-n.js', { N: '7' }, [['N', '7']]],
  [
    'automata',
    'automata.js',
    { rule: '30', depth: '2' },
    [
      ['rule', '30'],
      ['depth', '2'],
    ],
  ],
  ['trebuchet', 'trebuchet.js', {}, []],
  // Without a front there is no header that says who the client is.
  ['upgrade', 'upgrade.js', { path: '/secret' }, [['path', '/secret']]],
  ['polling', 'polling.js', { idle: '5000' }, [['idle', '5000']]],
]

const anonymous: ReadonlySet<string> = new Set(['upgrade', 'polling'])

test.each(examples)(
  'SENV-3, SM-3, EXT-3: %s carries bytes between two PT processes',
  async (name, file, options, said) => {
    const exec = ptWith(file)
    const heard: (string | undefined)[] = []
    const events: PtEvent[] = []
    await using server = await launchServer({
      exec,
      transports: [{ name, bindAddress: '127.0.0.1:0', options }],
      stateDir: tempDir(),
      onConnection: ({ conn, transport, userAddr }) => {
        heard.push(transport, userAddr?.host)
        conn.pipe(conn)
      },
    })
    await using client = await launchClient({
      exec,
      transports: [name],
      stateDir: tempDir(),
      onEvent: (e) => events.push(e),
    })
    const { address, args } = server.methods.get(name)!
    expect([...args]).toEqual(said)
    const conn = await client.connect(name, formatAddress(address), { args })
    const payload = randomBytes(100_000)
    conn.write(payload)
    expect(await readExactly(conn, payload.length)).toEqual(payload)
    conn.end()
    expect(heard).toEqual([name, anonymous.has(name) ? undefined : '127.0.0.1'])
    const status = events.flatMap((event) => (event.type === 'status' ? [event.args.get('PERCENT')] : []))
    if (name === 'trebuchet') expect(status.filter(Boolean)).toEqual(['0', '50', '100'])
  },
)

test('CM-2, SM-5: a trebuchet without rocks or cows says so to the parent, in the words of the draft', async () => {
  const exec = ptWith('trebuchet.js')
  const stateDir = tempDir()
  writeFileSync(join(stateDir, 'trebuchet_rocks'), '0')
  const client = launchClient({ exec, transports: ['trebuchet'], stateDir })
  await expect(client).rejects.toMatchObject({ failures: new Map([['trebuchet', 'no rocks available']]) })
  const transports = [{ name: 'trebuchet', bindAddress: '127.0.0.1:0', options: { cows: '0' } }]
  const server = launchServer({ exec, transports, stateDir: tempDir(), onConnection: () => {} })
  await expect(server).rejects.toMatchObject({ failures: new Map([['trebuchet', 'no cows available']]) })
})
