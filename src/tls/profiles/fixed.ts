/**
 * Extensions whose data are always the same: those that a server answers in no way, or in a way that this client takes. An extension that
 * is not in the table is refused: it is not known what a server may do with it.
 */
import { Reader } from '../wire.ts'
import type { ProfileExtension } from './profile.ts'

interface Rule {
  readonly name: string
  /** The data that are taken, in words. */
  readonly form: string
  readonly holds: (data: Buffer) => boolean
}

const empty = { form: 'empty', holds: (data: Buffer) => data.length === 0 }

const honoured: Readonly<Record<string, Rule>> = {
  '0005': { name: 'status_request', form: '0100000000: OCSP, and nothing more', holds: is('0100000000') },
  '000b': {
    name: 'ec_point_formats',
    form: 'a list of formats with 00, which is uncompressed',
    holds: hasUncompressed,
  },
  '0012': { name: 'signed_certificate_timestamp', ...empty },
  '0016': { name: 'encrypt_then_mac', ...empty },
  '0017': { name: 'extended_master_secret', ...empty },
  '002d': { name: 'psk_key_exchange_modes', form: '0101: tickets with a fresh key, and no others', holds: is('0101') },
  ca34: { name: 'trust_anchors', form: 'a list of identifiers', holds: isTrustAnchorList },
  ff01: { name: 'renegotiation_info', form: '00, which is empty', holds: is('00') },
}

/** Why an extension of another type is refused, if there is more to say than that it is unknown. */
const reasons: Readonly<Record<string, string>> = {
  '0015': 'padding hangs on the length of the hello, which no fixed data can follow',
  '0029': 'pre_shared_key is made of a ticket, and stands last by itself',
  '002a': 'early data are not sent here',
  '0031': 'this client does not answer a request for a certificate after the handshake',
}

/** Those that have a kind of their own, as their content is more than bytes. */
const ownKinds: Readonly<Record<string, string>> = {
  '0000': 'server_name',
  '000a': 'supported_groups',
  '000d': 'signature_algorithms',
  '0010': 'alpn',
  '001b': 'compress_certificate',
  '001c': 'record_size_limit',
  '0022': 'delegated_credentials',
  '0023': 'session_ticket',
  '002b': 'supported_versions',
  '002c': 'cookie',
  '0033': 'key_share',
  '44cd': 'application_settings',
  fe0d: 'ech_grease',
}

/** What is wrong with an extension of fixed data. */
export function fixedFault(one: Extract<ProfileExtension, { kind: 'fixed' }>, path: string): string | undefined {
  const { type, data } = one
  const kind = ownKinds[type]
  if (kind !== undefined) return `${path}.type is ${type}, which has a kind of its own: ${kind}`
  const rule = honoured[type]
  if (rule === undefined) {
    return `${path}.type is ${type}, which this client does not honour${reasons[type] === undefined ? '' : `: ${reasons[type]}`}`
  }
  return rule.holds(Buffer.from(data, 'hex')) ? undefined : `${path}.data of ${rule.name} has to be ${rule.form}`
}

function is(hex: string): (data: Buffer) => boolean {
  return (data) => data.toString('hex') === hex
}

function hasUncompressed(data: Buffer): boolean {
  return data.length > 1 && data[0] === data.length - 1 && data.includes(0, 1)
}

function isTrustAnchorList(data: Buffer): boolean {
  try {
    const reader = new Reader(data, 'trust_anchors')
    const list = reader.list(2)
    reader.end()
    while (list.left > 0) list.vector(1, 1)
    return true
  } catch {
    return false
  }
}
