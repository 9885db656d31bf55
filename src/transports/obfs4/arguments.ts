/**
 * What obfs4's arguments may be, said before anybody dials or launches.
 *
 *     client   cert=…  iat-mode=…                  or node-id=… public-key=… in place of the cert
 *     server   iat-mode=…                          and private-key=… node-id=… drbg-seed=…, all three or none
 */
import type { Args } from '../../ipc/index.ts'
import { nodeIdLength } from '../../crypto/ntor.ts'
import { drbgSeedLength } from '../../crypto/siphash-drbg.ts'
import { x25519KeyLength } from '../../crypto/x25519.ts'
import type { ArgumentFinding } from '../argument.ts'
import { ArgumentError, faultsOf, unknownKeys, warning } from '../argument.ts'
import { parseCert, parseHex, parseIatMode, readIatMode, readNodeId, readPublicKey } from './cert.ts'

/** The server's options that make an identity, in the order in which a missing one is named. */
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

/** The findings for both roles. */
export function checkObfs4(args: Args, role: 'client' | 'server'): ArgumentFinding[] {
  return role === 'client' ? checkClient(args) : checkServer(args)
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
    ...unknownKeys(args, 'obfs4', ['cert', 'iat-mode', 'node-id', 'public-key']),
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
    ...unknownKeys(args, 'obfs4', ['iat-mode', ...identityOptions]),
  ]
}
