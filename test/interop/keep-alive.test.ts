/** A silent connection: when TCP asks whether the other end is still there. */
import { expect, test } from 'vitest'
import type { Program } from './observer.ts'
import { observe } from './observer.ts'

test.for<[Program, string[]]>([
  ['obfs4proxy', ['client, wire', 'server, wire']],
  ['postern', ['client, wire', 'server, wire', 'client, application', 'server, application']],
])('%s asks after 15 s of silence, on %o', async ([program, places], context) => {
  const pair = { transport: 'obfs4', client: program, server: program }
  const seconds = await observe<Record<string, number>>(context, 'keep-alive.mjs', [program], pair)
  for (const place of places) {
    expect(seconds[place], place).toBeGreaterThan(10)
    expect(seconds[place], place).toBeLessThanOrEqual(15)
  }
})
