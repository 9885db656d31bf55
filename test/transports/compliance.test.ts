/** Our transports in the suite that we hand to others. */
import type { CaseOptions } from 'postern/testing'
import { transportCases } from 'postern/testing'
import { describe, test } from 'vitest'
import type { Transport } from '../../src/transport.ts'
import { obfs2 } from '../../src/transports/obfs2/index.ts'
import { obfs3 } from '../../src/transports/obfs3/index.ts'
import { scramblesuit } from '../../src/transports/scramblesuit/index.ts'

const secret = { 'shared-secret': 'rahasia' }

const transports: readonly (readonly [Transport, CaseOptions])[] = [
  [obfs2, { badClientArgs: [secret], badServerOptions: [secret] }],
  [obfs3, {}],
  [
    scramblesuit,
    {
      silentToProbes: true,
      badClientArgs: [{}, { password: '' }, { password: 'UCQ2FI5EUWTKPKFJVKV2ZLNOV6YLDMV' }],
      badServerOptions: [{ password: '' }, { password: '8'.repeat(32) }],
    },
  ],
]

describe.each(transports)('$name', (transport, options) => {
  // Of a busy machine, too, 4 MiB each way have to be expected.
  for (const { name, run } of transportCases(transport, { patience: 20_000, ...options })) test(name, run)
  const halfClosing = transportCases(transport, { patience: 20_000, ...options, halfClose: true })
  for (const { name, run } of halfClosing.filter(({ name }) => name.endsWith(' leaves the other direction open')))
    test(name, run)
})
