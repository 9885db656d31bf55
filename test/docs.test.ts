import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { pages } from '../scripts/docs.mjs'
import { errorCodes } from '../src/error.ts'
import { requirements } from '../src/ipc/requirements.ts'
import { root } from './support.ts'

it('the generated pages of docs/ are fresh; if they are not, npm run docs writes them', async () => {
  for (const [file, text] of Object.entries(await pages({ requirements, errorCodes }))) {
    expect(readFileSync(join(root, file), 'utf8') === text, `${file} is stale: run npm run docs`).toBe(true)
  }
})
