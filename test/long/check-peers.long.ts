/** The checker against the programs that people run today, each pinned to the version that it was looked at in. */
import { checkPt } from 'postern/check'
import type { CheckPtOptions } from 'postern/check'
import { describe, expect, test } from 'vitest'
import { knownPeers, versionOf } from '../../scripts/known-peers.mjs'
import { idsOf } from '../check/support.ts'
import type { Peer } from '../support.ts'
import { peer } from '../support.ts'

interface Known {
  readonly version: string
  readonly options: Partial<CheckPtOptions>
  readonly arguments?: readonly string[]
  readonly client?: { readonly broken: string[]; readonly advice: string[] }
  readonly server?: { readonly broken: string[]; readonly advice: string[] }
}

describe.concurrent('programs of today', () => {
  test.for(Object.entries(knownPeers as Readonly<Record<string, Known>>))(
    '%s breaks what its version is known to break, and nothing else',
    { timeout: 600_000 },
    async ([program, known], context) => {
      const exec = [peer(program as Peer, context), ...(known.arguments ?? [])]
      const version = versionOf(program)
      if (version !== known.version)
        return context.skip(`${program} is ${version} now; npm run drift says what changed`)
      const options = { exec, patience: 20_000, skipSlow: true, env: process.env, ...known.options }
      const report = await checkPt(options)
      for (const role of ['client', 'server'] as const) {
        if (known[role] !== undefined) expect(idsOf(report, role)).toMatchObject(known[role])
      }
    },
  )
})
