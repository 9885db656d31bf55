/** Firefox ESR 153, of 30 November 2026. It sends the same for a page and for a WebSocket. */
import type { Profile } from './profile.ts'

export const firefox: Profile = {
  name: 'firefox-153',
  browser: 'Firefox ESR',
  version: '153.8.0',
  platform: 'Linux x86-64',
  date: '2026-11-30',
  source: 'captures of the Debian package, which loaded a page and opened a WebSocket',
  suites: '1301 1303 1302 c02b c02f cca9 cca8 c02c c030 c00a c013 c014 009c 009d 002f 0035'.split(' '),
  extensions: [
    { kind: 'server_name' },
    { kind: 'fixed', type: '0017', data: '' },
    { kind: 'fixed', type: 'ff01', data: '00' },
    { kind: 'supported_groups', groups: ['11ec', '001d', '0017', '0018', '0019', '0100', '0101'] },
    { kind: 'fixed', type: '000b', data: '0100' },
    { kind: 'session_ticket', besidePsk: false },
    { kind: 'alpn', protocols: ['h2', 'http/1.1'] },
    { kind: 'fixed', type: '0005', data: '0100000000' },
    { kind: 'delegated_credentials', schemes: ['0403', '0503', '0603', '0203'] },
    { kind: 'fixed', type: '0012', data: '' },
    { kind: 'key_share', groups: ['11ec', '001d', '0017'], sameX25519: true },
    { kind: 'supported_versions', versions: ['0304', '0303'] },
    {
      kind: 'signature_algorithms',
      schemes: ['0403', '0503', '0603', '0804', '0805', '0806', '0401', '0501', '0601', '0203', '0201'],
    },
    { kind: 'cookie' },
    { kind: 'fixed', type: '002d', data: '0101' },
    { kind: 'record_size_limit', limit: 16_385 },
    { kind: 'compress_certificate', algorithms: ['0001', '0002', '0003'] },
    { kind: 'ech_grease', aeads: ['0001', '0003'], payload: { base: 124, leastName: 99 } },
  ],
  permuted: false,
}
