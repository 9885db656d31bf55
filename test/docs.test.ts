import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { idsIn, pages } from '../scripts/docs.mjs'
import { filesBelow, textOf } from '../scripts/titles.mjs'
import { errorCodes } from '../src/error.ts'
import * as schema from '../src/cli/tunnels/schema/tunnel-options.ts'
import { stages } from '../src/failure.ts'
import { requirements } from '../src/ipc/requirements.ts'
import { replies } from '../src/socks/wire.ts'
import { transportArguments } from '../src/transports/arguments.ts'
import { root } from './support.ts'

const sources = { requirements, errorCodes, stages, replies, transportArguments, schema }

it('the generated pages of docs/ are fresh; if they are not, npm run docs writes them', async () => {
  for (const [file, text] of Object.entries(await pages(sources))) {
    expect(readFileSync(join(root, file), 'utf8') === text, `${file} is stale: run npm run docs`).toBe(true)
  }
})

it('docs/deviations.md names tests and requirements that exist', () => {
  const text = textOf('docs/deviations.md')
  const ids = new Set(requirements.map(({ id }) => id))
  expect(idsIn(text).filter((id) => !ids.has(id) && id !== 'UTF-8')).toEqual([])
  const files = [...text.matchAll(/`(test\/[^`]+)`/g)].map((match) => match[1] ?? '')
  expect(files.length).toBeGreaterThan(20)
  expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([])
})

it('no source cites a requirement that does not exist', () => {
  const ids = new Set(requirements.map(({ id }) => id))
  const families = new Set(requirements.map(({ id }) => id.replace(/\d+$/, '')))
  for (const file of filesBelow('src', '.ts')) {
    const cited = idsIn(textOf(file)).filter((id) => families.has(id.replace(/\d+$/, '')))
    expect({ file, unknown: cited.filter((id) => !ids.has(id)) }).toEqual({ file, unknown: [] })
  }
})
