/**
 * The identity of a bridge, as its clients are given it.
 *
 *     cert          base64( NODEID (20) | B (32) ) without padding: 70 characters
 *     node-id       40 hex digits        the older pair, which counts where there is no cert
 *     public-key    64 hex digits
 *
 * Written in one form only; read with padding, in the URL-safe alphabet and with line breaks too, as mail and chat leave them.
 */
import { PtError } from '../../error.ts'
import type { Args } from '../../ipc/index.ts'
import { nodeIdLength } from '../../crypto/ntor.ts'
import { x25519KeyLength } from '../../crypto/x25519.ts'
import { certLength } from './constants.ts'

export interface BridgeIdentity {
  readonly nodeId: Buffer
  /** B. */
  readonly publicKey: Buffer
}

/** How a side sends: 0 bursts as they are, 1 with pauses between frames, 2 with pauses and random lengths. */
export type IatMode = 0 | 1 | 2

/** What a client dials with. */
export interface ClientArguments {
  readonly bridge: BridgeIdentity
  readonly iatMode: IatMode
}

export function formatCert({ nodeId, publicKey }: BridgeIdentity): string {
  return Buffer.concat([nodeId, publicKey]).toString('base64').replace(/=+$/, '')
}

/** Reads a cert. Throws PT_ARGS. */
export function parseCert(cert: string): BridgeIdentity {
  const text = cert
    .replace(/[\r\n]/g, '')
    .replaceAll('-', '+')
    .replaceAll('_', '/')
    .replace(/={1,2}$/, '')
  if (!/^[A-Za-z0-9+/]*$/.test(text)) throw badArgument("malformed argument 'cert': not base64")
  const bytes = Buffer.from(text, 'base64')
  if (bytes.length !== certLength || text.length % 4 === 1) {
    throw badArgument(
      `malformed argument 'cert': ${text.length} characters where there should be 70; was all of it copied?`,
    )
  }
  return { nodeId: bytes.subarray(0, nodeIdLength), publicKey: bytes.subarray(nodeIdLength) }
}

/** Reads the arguments of a client. Throws PT_ARGS, stage `argument`, and names the one that is missing or malformed. */
export function parseClientArguments(args: Args): ClientArguments {
  const cert = args.get('cert')
  const bridge = cert === undefined ? parsePair(args) : parseCert(cert)
  const iatMode = args.get('iat-mode')
  if (iatMode === undefined) throw badArgument("missing argument 'iat-mode'")
  return { bridge, iatMode: parseIatMode(iatMode) }
}

/** Reads an iat-mode. Throws PT_ARGS. */
export function parseIatMode(text: string): IatMode {
  if (!/^\+?0*[0-2]$/.test(text)) throw badArgument("malformed argument 'iat-mode': not 0, 1 or 2")
  return Number(text) as IatMode
}

/** Reads a value of exactly `length` bytes in hex; `longer` takes the first ones of more. Throws PT_ARGS. */
export function parseHex(name: string, text: string, length: number, longer = false): Buffer {
  const fits = longer ? text.length >= 2 * length : text.length === 2 * length
  if (!fits || text.length % 2 === 1 || !/^[0-9a-fA-F]*$/.test(text)) {
    throw badArgument(`malformed argument '${name}': not ${2 * length} hex digits`)
  }
  return Buffer.from(text.slice(0, 2 * length), 'hex')
}

export function badArgument(message: string): PtError {
  return new PtError('PT_ARGS', message, { stage: 'argument' })
}

function parsePair(args: Args): BridgeIdentity {
  const [nodeId, publicKey] = [args.get('node-id'), args.get('public-key')]
  if (nodeId === undefined && publicKey === undefined) throw badArgument("missing argument 'cert'")
  if (nodeId === undefined) throw badArgument("missing argument 'node-id'")
  if (publicKey === undefined) throw badArgument("missing argument 'public-key'")
  return {
    nodeId: parseHex('node-id', nodeId, nodeIdLength),
    publicKey: parseHex('public-key', publicKey, x25519KeyLength),
  }
}
