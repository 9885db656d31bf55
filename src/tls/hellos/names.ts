/** Names of numbers in a hello, from IANA's registers, and from drafts that browsers follow. */
import { isGrease } from '../grease.ts'

const extensions: Readonly<Record<string, string>> = {
  '0000': 'server_name',
  '0001': 'max_fragment_length',
  '0005': 'status_request',
  '000a': 'supported_groups',
  '000b': 'ec_point_formats',
  '000d': 'signature_algorithms',
  '0010': 'alpn',
  '0012': 'signed_certificate_timestamp',
  '0015': 'padding',
  '0016': 'encrypt_then_mac',
  '0017': 'extended_master_secret',
  '001b': 'compress_certificate',
  '001c': 'record_size_limit',
  '0022': 'delegated_credentials',
  '0023': 'session_ticket',
  '0029': 'pre_shared_key',
  '002a': 'early_data',
  '002b': 'supported_versions',
  '002c': 'cookie',
  '002d': 'psk_key_exchange_modes',
  '0031': 'post_handshake_auth',
  '0032': 'signature_algorithms_cert',
  '0033': 'key_share',
  '3374': 'next_protocol_negotiation',
  4469: 'application_settings (old)',
  '44cd': 'application_settings',
  ca34: 'trust_anchors',
  fe0d: 'encrypted_client_hello',
  ff01: 'renegotiation_info',
}

const suites: Readonly<Record<string, string>> = {
  1301: 'AES_128_GCM_SHA256',
  1302: 'AES_256_GCM_SHA384',
  1303: 'CHACHA20_POLY1305_SHA256',
  c009: 'ECDHE_ECDSA_AES_128_CBC_SHA',
  c00a: 'ECDHE_ECDSA_AES_256_CBC_SHA',
  c013: 'ECDHE_RSA_AES_128_CBC_SHA',
  c014: 'ECDHE_RSA_AES_256_CBC_SHA',
  c02b: 'ECDHE_ECDSA_AES_128_GCM_SHA256',
  c02c: 'ECDHE_ECDSA_AES_256_GCM_SHA384',
  c02f: 'ECDHE_RSA_AES_128_GCM_SHA256',
  c030: 'ECDHE_RSA_AES_256_GCM_SHA384',
  cca8: 'ECDHE_RSA_CHACHA20_POLY1305',
  cca9: 'ECDHE_ECDSA_CHACHA20_POLY1305',
  '009c': 'RSA_AES_128_GCM_SHA256',
  '009d': 'RSA_AES_256_GCM_SHA384',
  '002f': 'RSA_AES_128_CBC_SHA',
  '0035': 'RSA_AES_256_CBC_SHA',
}

const groups: Readonly<Record<string, string>> = {
  '0017': 'secp256r1',
  '0018': 'secp384r1',
  '0019': 'secp521r1',
  '001d': 'x25519',
  '001e': 'x448',
  '0100': 'ffdhe2048',
  '0101': 'ffdhe3072',
  '11ec': 'X25519MLKEM768',
}

const schemes: Readonly<Record<string, string>> = {
  '0201': 'rsa_pkcs1_sha1',
  '0203': 'ecdsa_sha1',
  '0401': 'rsa_pkcs1_sha256',
  '0403': 'ecdsa_secp256r1_sha256',
  '0501': 'rsa_pkcs1_sha384',
  '0503': 'ecdsa_secp384r1_sha384',
  '0601': 'rsa_pkcs1_sha512',
  '0603': 'ecdsa_secp521r1_sha512',
  '0804': 'rsa_pss_rsae_sha256',
  '0805': 'rsa_pss_rsae_sha384',
  '0806': 'rsa_pss_rsae_sha512',
  '0807': 'ed25519',
  '0808': 'ed448',
  '0904': 'mldsa44',
  '0905': 'mldsa65',
  '0906': 'mldsa87',
}

const versions: Readonly<Record<string, string>> = {
  '0301': 'TLS 1.0',
  '0302': 'TLS 1.1',
  '0303': 'TLS 1.2',
  '0304': 'TLS 1.3',
}

const compressions: Readonly<Record<string, string>> = { '0001': 'zlib', '0002': 'brotli', '0003': 'zstd' }

const aeads: Readonly<Record<string, string>> = {
  '0001': 'AES-128-GCM',
  '0002': 'AES-256-GCM',
  '0003': 'ChaCha20-Poly1305',
}

/** The fields whose numbers have names. */
export type NamedField =
  | 'suites'
  | 'supported_groups'
  | 'key_share'
  | 'signature_algorithms'
  | 'delegated_credentials'
  | 'supported_versions'
  | 'compress_certificate'
  | 'encrypted_client_hello'

/** By field: the names of what its list may hold. */
export const namesOf: Readonly<Record<NamedField, Readonly<Record<string, string>>>> = {
  suites,
  supported_groups: groups,
  key_share: groups,
  signature_algorithms: schemes,
  delegated_credentials: schemes,
  supported_versions: versions,
  compress_certificate: compressions,
  encrypted_client_hello: aeads,
}

/** The name of a type of extension, or its number. All types of GREASE have one name. */
export function nameOfExtension(type: number): string {
  return isGrease(type) ? 'grease' : (extensions[hex(type)] ?? hex(type))
}

/** A number as profiles write it: four hex digits, or 'grease'. */
export function codeOf(value: number): string {
  return isGrease(value) ? 'grease' : hex(value)
}

function hex(value: number): string {
  return value.toString(16).padStart(4, '0')
}
