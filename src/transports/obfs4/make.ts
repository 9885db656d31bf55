/**
 * obfs4 from its parts; tests hand in an environment that stands still.
 */
import type { Report, Transport } from '../../transport.ts'
import { nodeIdLength } from '../../crypto/ntor.ts'
import { replayFilter } from '../../crypto/replay-filter.ts'
import { drbgSeedLength } from '../../crypto/siphash-drbg.ts'
import { x25519KeyLength, x25519PrivateKey } from '../../crypto/x25519.ts'
import { obfs4Arguments } from './arguments.ts'
import { formatCert } from './cert.ts'
import { makeDial } from './client.ts'
import { replayTtl } from './constants.ts'
import type { Environment } from './environment.ts'
import { systemEnvironment } from './environment.ts'
import { makeKeyPool } from './key-pool.ts'
import { serverIdentity } from './server-identity.ts'
import { makeServer } from './server.ts'
import { loadServerState } from './state.ts'

export function makeObfs4(overrides: Partial<Environment> = {}): Transport {
  const environment = { ...systemEnvironment, ...overrides }
  // Both sides take their keys from one pool, as a key pair is as good for the one as for the other.
  const pool = makeKeyPool(environment.randomBytes)
  return {
    name: 'obfs4',
    client({ log }) {
      reportKernel(log, environment)
      pool.warm()
      return { dial: makeDial(environment, pool), outlastsParent: true }
    },
    async server({ stateDir, args, log, replays }) {
      reportKernel(log, environment)
      const state = await loadServerState(stateDir, args, environment, log)
      pool.warm()
      return makeServer(state, environment, pool, replays)
    },
    checkArguments: obfs4Arguments.check,
    rehearsal() {
      const { randomBytes } = environment
      const [nodeId, drbgSeed] = [Buffer.from(randomBytes(nodeIdLength)), Buffer.from(randomBytes(drbgSeedLength))]
      const identity = serverIdentity(nodeId, x25519PrivateKey(randomBytes(x25519KeyLength)), drbgSeed)
      const args = { cert: formatCert(identity), 'iat-mode': '0' }
      const seen = replayFilter({ ttl: replayTtl, now: environment.uptime })
      const server = makeServer({ identity, iatMode: 0 }, environment, pool, seen)
      return { client: { dial: makeDial(environment, pool), outlastsParent: true }, server, args }
    },
  }
}

function reportKernel(log: Report['log'], { frameKernel }: Environment): void {
  if (frameKernel().name === 'simd') log('debug', 'frames are sealed by WebAssembly with SIMD')
  else log('warning', 'no WebAssembly with SIMD on this machine: obfs4 works, at a twentieth of its speed')
}
