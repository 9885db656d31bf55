/**
 * The arguments of obfs4.
 *
 *     client   cert=…  iat-mode=…                  or node-id=… public-key=… in place of the cert
 *     server   iat-mode=…                          and private-key=… node-id=… drbg-seed=…, all three or none
 */
import type { Args, ArgumentFinding } from '../../ipc/index.ts'
import { nodeIdLength } from '../../crypto/ntor.ts'
import { drbgSeedLength } from '../../crypto/siphash-drbg.ts'
import { x25519KeyLength } from '../../crypto/x25519.ts'
import type { ArgumentRow, TransportArguments } from '../argument.ts'
import { ArgumentError, faultsOf, keysOf, unknownKeys, warning } from '../argument.ts'
import { certLength } from './constants.ts'
import { parseCert, parseHex, parseIatMode, readIatMode, readNodeId, readPublicKey } from './cert.ts'

/** The server's options that make an identity. A missing one is named in this order. */
const identityOptions = ['private-key', 'node-id', 'drbg-seed'] as const

export interface IdentityOptions {
  readonly privateKey: Buffer
  readonly nodeId: Buffer
  readonly drbgSeed: Buffer
}

/** The identity in a server's options; undefined if there is none. Throws PT_ARGS for a part of one. */
export function readIdentityOptions(args: Args): IdentityOptions | undefined {
  const missing = identityOptions.filter((name) => !args.has(name))
  if (missing.length === identityOptions.length) return undefined
  if (missing[0] !== undefined) throw new ArgumentError(missing[0])
  const bytes = (name: (typeof identityOptions)[number], length: number): Buffer =>
    parseHex(name, args.get(name) ?? '', length, name === 'drbg-seed')
  return {
    privateKey: bytes('private-key', x25519KeyLength),
    nodeId: bytes('node-id', nodeIdLength),
    drbgSeed: bytes('drbg-seed', drbgSeedLength),
  }
}

const identityNeeded = 'all three or none; without them an identity is made once and kept in the state directory'

const rows: readonly ArgumentRow[] = [
  {
    role: 'client',
    key: 'cert',
    needed: 'yes, unless there are `node-id` and `public-key`',
    form: `70 characters of base64, for ${certLength} bytes`,
    meaning: 'the identity of the bridge: its node id and its public key',
  },
  {
    role: 'client',
    key: 'iat-mode',
    needed: 'yes',
    form: '0, 1 or 2',
    meaning: 'how the client sends: 0 at once, 1 with pauses between frames, 2 with pauses and random lengths',
  },
  {
    role: 'client',
    key: 'node-id',
    needed: 'if there is no `cert`',
    form: `${2 * nodeIdLength} hex digits`,
    meaning: 'the first half of the identity',
  },
  {
    role: 'client',
    key: 'public-key',
    needed: 'if there is no `cert`',
    form: `${2 * x25519KeyLength} hex digits`,
    meaning: 'the second half of the identity',
  },
  {
    role: 'server',
    key: 'iat-mode',
    needed: 'no; the default is 0, or what was kept',
    form: '0, 1 or 2',
    meaning: 'how the server sends',
  },
  {
    role: 'server',
    key: 'private-key',
    needed: identityNeeded,
    form: `${2 * x25519KeyLength} hex digits`,
    meaning: "the key that belongs to the `cert` of the bridge's clients",
  },
  {
    role: 'server',
    key: 'node-id',
    needed: identityNeeded,
    form: `${2 * nodeIdLength} hex digits`,
    meaning: 'the first part of that `cert`',
  },
  {
    role: 'server',
    key: 'drbg-seed',
    needed: identityNeeded,
    form: `${2 * drbgSeedLength} hex digits; of more digits the first ones count`,
    meaning: 'the seed of the lengths and pauses, which are the same for all connections of a bridge',
  },
]

export const obfs4Arguments: TransportArguments = {
  rows,
  check: (args, role) => (role === 'client' ? checkClient(args) : checkServer(args)),
}

function checkClient(args: Args): ArgumentFinding[] {
  const cert = args.get('cert')
  const old = args.has('node-id') || args.has('public-key')
  const identity =
    cert === undefined && old
      ? faultsOf(
          () => readNodeId(args),
          () => readPublicKey(args),
        )
      : faultsOf(() => readCert(cert))
  const faults = [...identity, ...faultsOf(() => readIatMode(args))]
  return [
    ...faults,
    ...(cert === undefined || identity.length > 0 ? [] : strangeCert(cert)),
    ...unknownKeys(args, 'obfs4', keysOf(rows, 'client')),
  ]
}

function readCert(cert: string | undefined): unknown {
  if (cert === undefined) throw new ArgumentError('cert')
  return parseCert(cert)
}

function strangeCert(cert: string): ArgumentFinding[] {
  if (cert.endsWith('=')) return [warning('cert', 'it ends with =, which obfs4proxy does not take: leave that out')]
  return /[_-]/.test(cert) ? [warning('cert', 'it is URL-safe base64, which obfs4proxy does not take')] : []
}

function checkServer(args: Args): ArgumentFinding[] {
  const iatMode = args.get('iat-mode')
  return [
    ...faultsOf(
      () => readIdentityOptions(args),
      () => (iatMode === undefined ? undefined : parseIatMode(iatMode)),
    ),
    ...unknownKeys(args, 'obfs4', keysOf(rows, 'server')),
  ]
}
