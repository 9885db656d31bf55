/** The examples of docs/api/parent.md: a server and a client, each with a PT of its own. */
import { formatAddress } from 'postern'
import { readExactly } from 'postern/io'
import { launchClient, launchServer } from 'postern/parent'
import { ownPt } from 'postern'
import { expect, onTestFinished, test } from 'vitest'
import { tempDir } from '../../support.ts'

test('launchServer and launchClient', async () => {
  const [serverDir, clientDir] = [tempDir(), tempDir()]
  // example: launchServer
  const server = await launchServer({
    exec: ownPt(), // or '/usr/bin/obfs4proxy'
    transports: [{ name: 'obfs4', bindAddress: '127.0.0.1:0' }],
    stateDir: serverDir,
    onConnection: ({ conn, transport }) => conn.end(`hello over ${transport}`),
  })
  const { address, args } = server.methods.get('obfs4')!
  // end
  onTestFinished(async () => void (await server.stop()))
  // example: launchClient
  const client = await launchClient({ exec: ownPt(), transports: ['obfs4'], stateDir: clientDir })
  const conn = await client.connect('obfs4', formatAddress(address), { args })
  expect(String(await readExactly(conn, 16))).toBe('hello over obfs4')
  await client.stop()
  // end
})
