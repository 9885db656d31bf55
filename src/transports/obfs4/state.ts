/**
 * What a bridge keeps: its identity, and the seed that its traffic's shape and its close delay follow from. The files are
 * obfs4proxy's, so that an operator can change from one to the other and back, and clients notice nothing.
 *
 *     obfs4_state.json       {"node-id":…,"private-key":…,"public-key":…,"drbg-seed":…,"iat-mode":0}, on one line, no NL
 *     obfs4_bridgeline.txt   comment, empty line, Bridge obfs4 <IP ADDRESS>:<PORT> <FINGERPRINT> cert=… iat-mode=0
 *
 * Both are brought up to date at each start. A state file that cannot be read is never replaced: the identity in it is what
 * every client of the bridge was given.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { nodeIdLength } from '../../crypto/ntor.ts'
import { drbgSeedLength } from '../../crypto/siphash-drbg.ts'
import { x25519KeyLength, x25519PrivateKey, x25519PublicBytes } from '../../crypto/x25519.ts'
import { isPtError, PtError } from '../../error.ts'
import { clearDrafts } from '../../io/files/drafts.ts'
import { createPrivateFile, exposureOf, writePrivateFile } from '../../io/files/private-file.ts'
import type { Args } from '../../ipc/index.ts'
import type { Report } from '../../transport.ts'
import { readIdentityOptions } from './arguments.ts'
import { formatCert, parseHex, parseIatMode } from './cert.ts'
import type { IatMode } from './cert.ts'
import type { Machine } from './machine.ts'
import type { ServerIdentity } from './server-identity.ts'
import { serverIdentity } from './server-identity.ts'

const stateFile = 'obfs4_state.json'
const bridgeLineFile = 'obfs4_bridgeline.txt'

/** The state as it is written. */
interface State {
  readonly nodeId: Buffer
  readonly privateKey: Buffer
  /** As it was read: it is not looked at. Empty for an identity from options, as the reference leaves it. */
  readonly publicKey: string
  readonly drbgSeed: Buffer
  readonly iatMode: IatMode
}

export interface ServerState {
  readonly identity: ServerIdentity
  readonly iatMode: IatMode
}

/**
 * The identity of this bridge: from the options, from the state file, or new. Brings both files up to date. Throws PT_ARGS for an
 * option, and PT_STATE for a state that cannot be read, or is new and cannot be kept. Any other file that cannot be written is a
 * warning: the bridge is the same after the next start without it.
 */
export async function loadServerState(
  stateDir: string,
  args: Args,
  machine: Machine,
  log: Report['log'],
): Promise<ServerState> {
  const [path, linePath] = [join(stateDir, stateFile), join(stateDir, bridgeLineFile)]
  await Promise.all([clearDrafts(path), clearDrafts(linePath)])
  const exposure = await exposureOf(path)
  if (exposure !== undefined) log('warning', exposure)
  const state = await stateAt(path, args, machine)
  const identity = serverIdentity(state.nodeId, x25519PrivateKey(state.privateKey), state.drbgSeed)
  const warn = (error: unknown): void => log('warning', (error as PtError).message)
  await writePrivateFile(path, formatState(state)).catch(warn)
  await writePrivateFile(linePath, formatBridgeLine(formatCert(identity), state.iatMode)).catch(warn)
  return { identity, iatMode: state.iatMode }
}

async function stateAt(path: string, args: Args, machine: Machine): Promise<State> {
  // The file is read even if the options have all of it: the operator has to look at a file that cannot be read.
  const kept = await readState(() => readFile(path, 'utf8'))
  const given = args.get('iat-mode')
  const iatMode = given === undefined ? undefined : parseIatMode(given)
  const withIatMode = (state: State): State => ({ ...state, iatMode: iatMode ?? state.iatMode })
  const known = stateFromOptions(args) ?? kept
  if (known !== undefined) return withIatMode(known)
  const made = withIatMode(newState(machine))
  // If another process has made one in the meantime, both serve that one.
  const there = await readState(() => createPrivateFile(path, formatState(made)))
  return withIatMode(there ?? made)
}

function stateFromOptions(args: Args): State | undefined {
  const identity = readIdentityOptions(args)
  return identity === undefined ? undefined : { ...identity, publicKey: '', iatMode: 0 }
}

function newState({ randomBytes }: Machine): State {
  const privateKey = Buffer.from(randomBytes(x25519KeyLength))
  return {
    privateKey,
    nodeId: Buffer.from(randomBytes(nodeIdLength)),
    drbgSeed: Buffer.from(randomBytes(drbgSeedLength)),
    publicKey: x25519PublicBytes(x25519PrivateKey(privateKey)).toString('hex'),
    iatMode: 0,
  }
}

/** The state in the text that `read` resolves with; undefined if there is no such file yet. */
async function readState(read: () => Promise<string>): Promise<State | undefined> {
  try {
    return parseState(await read())
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    if (isPtError(error, 'PT_STATE')) throw error
    // Never the file's text: a parse error would quote the private key.
    const why = (error as NodeJS.ErrnoException).code ?? 'malformed'
    const reason = error instanceof PtError ? error.message : why
    throw new PtError(
      'PT_STATE',
      `cannot read ${stateFile} in the state directory (${reason}): restore it, or move it away for a new identity, which no client knows`,
    )
  }
}

export function parseState(text: string): State {
  const json = JSON.parse(text) as Readonly<Record<string, unknown>> | null
  const field = (name: string): string => {
    const value = json?.[name]
    if (typeof value !== 'string') throw new PtError('PT_ARGS', `missing '${name}'`)
    return value
  }
  const iatMode = json?.['iat-mode'] ?? 0
  if (typeof iatMode !== 'number') throw new PtError('PT_ARGS', "malformed 'iat-mode'")
  const publicKey = json?.['public-key']
  return {
    nodeId: parseHex('node-id', field('node-id'), nodeIdLength),
    privateKey: parseHex('private-key', field('private-key'), x25519KeyLength),
    publicKey: typeof publicKey === 'string' ? publicKey : '',
    drbgSeed: parseHex('drbg-seed', field('drbg-seed'), drbgSeedLength, true),
    iatMode: parseIatMode(String(iatMode)),
  }
}

export function formatState({ nodeId, privateKey, publicKey, drbgSeed, iatMode }: State): string {
  return JSON.stringify({
    'node-id': nodeId.toString('hex'),
    'private-key': privateKey.toString('hex'),
    'public-key': publicKey,
    'drbg-seed': drbgSeed.toString('hex'),
    'iat-mode': iatMode,
  })
}

function formatBridgeLine(cert: string, iatMode: IatMode): string {
  return `# What clients of this bridge put into their torrc. Written again at each start.
#
# Replace the three words in angle brackets:
#  <IP ADDRESS>   the address at which the world reaches this bridge
#  <PORT>         the port of its obfs4 listener
#  <FINGERPRINT>  the fingerprint of its tor

Bridge obfs4 <IP ADDRESS>:<PORT> <FINGERPRINT> cert=${cert} iat-mode=${iatMode}
`
}
