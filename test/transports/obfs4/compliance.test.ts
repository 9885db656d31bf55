import { transportCases } from 'postern/testing'
import { describe, test } from 'vitest'
import { makeObfs4 } from '../../../src/transports/obfs4/make.ts'
import { handshakeVector, identityOptions } from './support.ts'

const { cert } = handshakeVector

/** Pauses take no time here: the suite sends many MiB. test/interop/ has the real ones. */
let slept = 0
const obfs4 = makeObfs4({ sleep: async (ms) => void (slept += ms), uptime: () => performance.now() + slept })

describe.each(['0', '1', '2'])('what every transport has to keep, iat-mode %s', (iatMode) => {
  const cases = transportCases(obfs4, {
    serverOptions: { ...identityOptions, 'iat-mode': iatMode },
    silentToProbes: true,
    badClientArgs: [{}, { cert }, { 'iat-mode': '0' }, { cert: 'x', 'iat-mode': '0' }, { cert, 'iat-mode': '7' }],
    badServerOptions: [{ 'private-key': identityOptions['private-key'] }, { 'iat-mode': '7' }],
    patience: 30_000,
    halfClose: true,
  })
  for (const { name, run } of cases) test(name, run, 60_000)
})
