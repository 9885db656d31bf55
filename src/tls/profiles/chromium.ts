/** Chromium 156, of 30 November 2026, and what the same browser sends on a machine without AES instructions. */
import type { Profile, ProfileExtension } from './profile.ts'

const about = {
  browser: 'Chromium',
  version: '156.0.8078.114',
  platform: 'Linux x86-64, with AES instructions',
  date: '2026-11-30',
} as const

/**
 * The identifiers of Chromium's root programme in trust_anchors (draft-ietf-tls-trust-anchor-ids) are relative object
 * identifiers, which begin with that of their authority. They change with the build of a month.
 */
const trustAnchors: readonly (readonly [authority: string, last: string])[] = [
  ['82df1302', '01 06 0d 0e 0f 12 13 14'],
  ['839a648c9b2d01', '07 08 09 0a 0b 0c 0d 12 13'],
  ['d67909', '01 04 05 06 07 08 0a 0b 0c 0d 0f'],
]

const suites = 'grease 1301 1302 1303 c02b c02f c02c c030 cca9 cca8 c013 c014 009c 009d 002f 0035'.split(' ')

const schemes = 'grease 0904 0905 0906 0403 0804 0401 0503 0805 0501 0806 0601'.split(' ')

function extensions(...own: readonly ProfileExtension[]): ProfileExtension[] {
  return [
    { kind: 'grease', data: '' },
    { kind: 'server_name' },
    { kind: 'fixed', type: '0005', data: '0100000000' },
    { kind: 'supported_groups', groups: ['grease', '11ec', '001d', '0017', '0018'] },
    { kind: 'fixed', type: '000b', data: '0100' },
    { kind: 'signature_algorithms', schemes },
    { kind: 'fixed', type: '0012', data: '' },
    { kind: 'fixed', type: '0017', data: '' },
    { kind: 'compress_certificate', algorithms: ['0002'] },
    { kind: 'session_ticket', besidePsk: true },
    { kind: 'supported_versions', versions: ['grease', '0304', '0303'] },
    { kind: 'fixed', type: '002d', data: '0101' },
    { kind: 'key_share', groups: ['grease', '11ec', '001d'], sameX25519: false },
    { kind: 'fixed', type: 'ca34', data: trustAnchorList() },
    { kind: 'ech_grease', aeads: ['0001'], payload: { oneOf: [144, 176, 208, 240] } },
    { kind: 'fixed', type: 'ff01', data: '00' },
    { kind: 'cookie' },
    ...own,
    { kind: 'grease', data: '00' },
  ]
}

/** A list with its length in two bytes, of identifiers with their length in one byte. */
function trustAnchorList(): string {
  const ids = trustAnchors.flatMap(([authority, last]) => last.split(' ').map((part) => authority + part))
  const list = ids.map((id) => hexLength(id, 2) + id).join('')
  return hexLength(list, 4) + list
}

function hexLength(hex: string, digits: number): string {
  return (hex.length / 2).toString(16).padStart(digits, '0')
}

/** What `new WebSocket('wss://…')` sends: ALPN has http/1.1 alone, and there are no settings of an application. */
export const chromiumWebSocket: Profile = {
  ...about,
  name: 'chromium-156-websocket',
  source: 'captures of the Debian package, without field trials, that opened a WebSocket',
  suites,
  extensions: extensions({ kind: 'alpn', protocols: ['http/1.1'] }),
  permuted: true,
}

/** What a page that is loaded sends, which offers HTTP/2. */
export const chromiumPage: Profile = {
  ...about,
  name: 'chromium-156-page',
  source: 'captures of the Debian package, without field trials, that loaded a page',
  suites,
  extensions: extensions(
    { kind: 'alpn', protocols: ['h2', 'http/1.1'] },
    { kind: 'application_settings', protocols: ['h2'] },
  ),
  permuted: true,
}

/** The order of BoringSSL without AES instructions, in which ChaCha20 comes first. */
const suitesWithoutAes = 'grease 1303 1301 1302 cca9 cca8 c02b c02f c02c c030 c013 c014 009c 009d 002f 0035'.split(' ')

/** The same browser on a machine without AES instructions. The suites and ECH tell of one machine, so they go together. */
function withoutAes(profile: Profile): Profile {
  return {
    ...profile,
    name: `${profile.name}-no-aes`,
    platform: 'Linux, without AES instructions',
    source: `${profile.source}; the order of suites and the AEAD of ECH as BoringSSL's source has them for such a machine`,
    suites: suitesWithoutAes,
    extensions: profile.extensions.map((one) => (one.kind === 'ech_grease' ? { ...one, aeads: ['0003'] } : one)),
  }
}

export const chromiumWebSocketNoAes: Profile = withoutAes(chromiumWebSocket)

export const chromiumPageNoAes: Profile = withoutAes(chromiumPage)
