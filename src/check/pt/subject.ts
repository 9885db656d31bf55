/**
 * The PT under test: how each role is started, and which transport it is tried with.
 */
import type { Environment } from '../../ipc/index.ts'
import type { Shared } from '../lab/lab.ts'
import type { Launched } from '../lab/launch.ts'
import type { Role } from '../verdict.ts'

export interface Subject extends Shared {
  /** The command of each role that there is; that of the other role may be another program. */
  readonly commands: Readonly<Partial<Record<Role, readonly string[]>>>
  /** The transport of each role. */
  readonly transports: Readonly<Partial<Record<Role, string>>>
  /** What every launch inherits. */
  readonly env: Environment
  /** Arguments that a client needs besides those of SMETHOD, `k=v;k=v`. */
  readonly args: string
  /** Options that a server needs in order to launch its transport, `k=v;k=v`. */
  readonly options: string
  /** How long a start, an answer or an end may take, in milliseconds. */
  readonly patience: number
  /** Every launch of the program in each role, in order. */
  readonly launches: { readonly role: Role; readonly pt: Launched }[]
}

/** Names of transports that are in use, those that are easiest to try first. */
export const knownTransports: readonly string[] = [
  'obfs4',
  'rot_by_N',
  'dummy',
  'obfs3',
  'trebuchet',
  'obfs2',
  'scramblesuit',
  'plain',
  'snowflake',
  'meek_lite',
  'meek',
  'webtunnel',
  'fte',
  'conjure',
  'dnstt',
]

/** A name that no PT knows. */
export const UNKNOWN_NAME = 'nosuch_transport_9'
