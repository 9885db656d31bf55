/** The examples of docs/api/pt.md. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { mkdirSync } from 'node:fs'
import { launchClient } from 'postern'
import { expect, onTestFinished, test } from 'vitest'
import { examplesOf } from '../../../scripts/api-examples.mjs'
import { root, tempDir } from '../../support.ts'

/** The example is a whole program, which a parent starts. It is kept in a function, so that the types are checked. */
export async function program(): Promise<void> {
  // example: runPt
  const { runPt } = await import('postern/pt')
  const { framed } = await import('postern/io')
  const flip = (bytes: Uint8Array) => bytes.map((byte) => byte ^ 0xff)
  const codec = () => ({ encode: flip, decode: (chunk: Uint8Array) => [flip(chunk)] })
  await runPt({
    transports: [
      {
        name: 'flip',
        client: () => ({ dial: async ({ target, connect, signal }) => framed(await connect(target, signal), codec()) }),
        server: () => ({ accept: async ({ conn }) => framed(conn, codec()) }),
      },
    ],
  })
  // end
}

test('runPt: the example is a PT', async () => {
  const folder = join(root, 'dist/readme')
  mkdirSync(folder, { recursive: true })
  const file = join(folder, 'run-pt.mjs')
  writeFileSync(
    file,
    examplesOf('postern/pt')
      .get('runPt')!
      .replaceAll(/: Uint8Array/g, ''),
  )
  const pt = await launchClient({ exec: [process.execPath, file], transports: ['flip'], stateDir: tempDir() })
  onTestFinished(async () => void (await pt.stop()))
  expect([...pt.methods.keys()]).toEqual(['flip'])
})
