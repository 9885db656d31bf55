/**
 * obfs4 from its parts; tests hand in a machine that stands still.
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
import type { Machine } from './machine.ts'
import { systemMachine } from './machine.ts'
import { makeKeyPool } from './key-pool.ts'
import { serverIdentity } from './server-identity.ts'
import { makeServer } from './server.ts'
import { loadServerState } from './state.ts'
import { isPlain } from '../../plain.ts'

export function makeObfs4(overrides: Partial<Machine> = {}): Transport {
  const machine = { ...systemMachine, ...overrides }
  // Both sides take their keys from one pool, as a key pair is as good for the one as for the other.
  const pool = makeKeyPool(machine.randomBytes)
  return {
    name: 'obfs4',
    client({ log }) {
      reportKernel(log, machine)
      pool.warm()
      return { dial: makeDial(machine, pool), outlastsParent: true }
    },
    async server({ stateDir, args, log, replays }) {
      reportKernel(log, machine)
      const state = await loadServerState(stateDir, args, machine, log)
      pool.warm()
      return makeServer(state, machine, pool, replays)
    },
    checkArguments: obfs4Arguments.check,
    rehearsal() {
      const { randomBytes } = machine
      const [nodeId, drbgSeed] = [Buffer.from(randomBytes(nodeIdLength)), Buffer.from(randomBytes(drbgSeedLength))]
      const identity = serverIdentity(nodeId, x25519PrivateKey(randomBytes(x25519KeyLength)), drbgSeed)
      const args = { cert: formatCert(identity), 'iat-mode': '0' }
      const seen = replayFilter({ ttl: replayTtl, now: machine.uptime })
      const server = makeServer({ identity, iatMode: 0 }, machine, pool, seen)
      return { client: { dial: makeDial(machine, pool), outlastsParent: true }, server, args }
    },
  }
}

function reportKernel(log: Report['log'], { frameKernel }: Machine): void {
  if (frameKernel().name === 'simd') log('debug', 'frames are sealed by WebAssembly with SIMD')
  else if (isPlain())
    log('info', 'plain mode: frames are sealed by audited libraries, which takes about nine times the CPU')
  else log('warning', 'no WebAssembly with SIMD on this machine: obfs4 works, at a twentieth of its speed')
}
