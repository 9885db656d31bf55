/**
 * The identity of a bridge, as its clients are given it.
 *
 *     cert          base64( NODEID (20) | B (32) ) without padding: 70 characters
 *     node-id       40 hex digits        the older pair, which counts if there is no cert
 *     public-key    64 hex digits
 *
 * Written in one form only; read with padding, in the URL-safe alphabet and with line breaks too, as mail and chat leave them.
 */
import type { Args } from '../../ipc/index.ts'
import { nodeIdLength } from '../../crypto/ntor.ts'
import { x25519KeyLength } from '../../crypto/x25519.ts'
import { ArgumentError } from '../argument.ts'
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
  if (!/^[A-Za-z0-9+/]*$/.test(text)) throw new ArgumentError('cert', 'it holds characters that are not base64')
  const bytes = Buffer.from(text, 'base64')
  if (bytes.length !== certLength || text.length % 4 === 1) {
    throw new ArgumentError('cert', `it has ${text.length} characters instead of 70; was all of it copied?`)
  }
  return { nodeId: bytes.subarray(0, nodeIdLength), publicKey: bytes.subarray(nodeIdLength) }
}

/** Reads the arguments of a client. Throws PT_ARGS, stage `argument`, and names the one that is missing or malformed. */
export function parseClientArguments(args: Args): ClientArguments {
  const cert = args.get('cert')
  const bridge = cert === undefined ? parsePair(args) : parseCert(cert)
  return { bridge, iatMode: readIatMode(args) }
}

/** Reads an iat-mode. Throws PT_ARGS. */
export function parseIatMode(text: string): IatMode {
  if (!/^\+?0*[0-2]$/.test(text)) throw new ArgumentError('iat-mode', 'it is none of 0, 1 and 2')
  return Number(text) as IatMode
}

/** The iat-mode of a client, which has to have one. Throws PT_ARGS. */
export function readIatMode(args: Args): IatMode {
  const text = args.get('iat-mode')
  if (text === undefined) throw new ArgumentError('iat-mode')
  return parseIatMode(text)
}

/** Half of the pair that counts if there is no cert. Throws PT_ARGS. */
export function readNodeId(args: Args): Buffer {
  return readHex(args, 'node-id', nodeIdLength)
}

/** The other half. Throws PT_ARGS. */
export function readPublicKey(args: Args): Buffer {
  return readHex(args, 'public-key', x25519KeyLength)
}

/** Reads a value of exactly `length` bytes in hex; `longer` takes the first ones of more. Throws PT_ARGS. */
export function parseHex(name: string, text: string, length: number, longer = false): Buffer {
  const fits = longer ? text.length >= 2 * length : text.length === 2 * length
  if (!fits || text.length % 2 === 1 || !/^[0-9a-fA-F]*$/.test(text)) {
    throw new ArgumentError(name, `it is not ${2 * length} hex digits`)
  }
  return Buffer.from(text.slice(0, 2 * length), 'hex')
}

function readHex(args: Args, name: string, length: number): Buffer {
  const text = args.get(name)
  if (text === undefined) throw new ArgumentError(name)
  return parseHex(name, text, length)
}

function parsePair(args: Args): BridgeIdentity {
  if (!args.has('node-id') && !args.has('public-key')) throw new ArgumentError('cert')
  return { nodeId: readNodeId(args), publicKey: readPublicKey(args) }
}
