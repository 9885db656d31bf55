/**
 * Vectors whose `expect` is not ours: what comes out here instead, and why. docs/deviations.md tells the reasons at length.
 */
export interface Deviation {
  readonly ours: unknown
  readonly why: string
}

const refused = { error: true }

const octal = 'Octal is read, as by tor: goptlib writes it for every quote, and Arti drops the PT over it.'
const severity = 'An error of that line, as in tor; whether the PT goes on is decided by the parent.'
const portable = 'Written without octal escapes, which Arti takes for a broken PT; non-ASCII is transliterated.'
const noAddress = 'A transport without an address gets the default, as the draft lets BINDADDR be omitted.'

export const deviations: Readonly<Record<string, Deviation>> = {
  'args-smethodDecode-008': { ours: { args: [['a', '1']] }, why: 'ARGS is found in any place, as by Arti.' },
  'args-smethodEncode-007': { ours: 'SMETHOD t 1.2.3.4:5', why: 'No arguments, no ARGS; the empty ARGS: is read.' },
  'env-clientTransports-009': { ours: ['obfs9unknown'], why: 'A name like any other here; pt/ passes over it.' },
  'env-proxy-026': { ours: refused, why: 'The draft wants an IP address: a name would have to be looked up.' },
  'env-proxy-041': { ours: { ok: true }, why: 'Arti writes socks4: the same request for an IPv4 target.' },
  'env-serverBindaddr-008': {
    ours: [
      { method: 'alpha', host: '1.2.3.4', port: 1111, options: { k1: ['v1'] } },
      { method: 'beta', host: '1:2::3:4', port: 2222, options: { k2: ['v2'] } },
      { method: 'gamma', options: { k3: ['v3'] } },
    ],
    why: noAddress,
  },
  'env-serverBindaddr-009': { ours: [{ method: 'xxx', options: {} }], why: noAddress },
  'ipc-cstringDecode-008': { ours: 'a', why: 'An unknown escape is its character, as in Arti.' },
  'ipc-cstringEncode-003': { ours: '"a\\"b"', why: portable },
  'ipc-cstringEncode-004': { ours: '"a\\\\b"', why: portable },
  'ipc-cstringEncode-006': { ours: '"tab\\there"', why: portable },
  'ipc-cstringEncode-007': { ours: '"cafe"', why: portable },
  'ipc-line-003': { ours: { limit: 65536 }, why: 'A line has a limit, or a PT could take all memory of its parent.' },
  'ipc-log-005': { ours: refused, why: 'A NUL is refused, as by tor.' },
  'ipc-log-006': { ours: { severity: 'debug', message: '\x01' }, why: octal },
  'ipc-log-007': { ours: { severity: 'debug', message: '\x02' }, why: octal },
  'ipc-log-008': { ours: { severity: 'debug', message: '\x03' }, why: octal },
  'ipc-log-010': { ours: { severity: 'debug', message: '\x05' }, why: octal },
  'ipc-log-012': { ours: { severity: 'debug', message: '\x07' }, why: octal },
  'ipc-log-013': { ours: refused, why: '8 is no octal digit, in no peer.' },
  'ipc-log-019': { ours: refused, why: severity },
  'ipc-log-020': { ours: refused, why: severity },
  'ipc-log-021': { ours: refused, why: severity },
  'ipc-log-023': { ours: refused, why: severity },
  'ipc-log-026': { ours: { severity: 'info', message: 'a' }, why: 'Further keys are passed over, as by both.' },
  'ipc-parse-009': {
    ours: { type: 'Version', version: '666' },
    why: 'Well-formed; parent/ refuses what it did not offer.',
  },
  'ipc-parse-024': {
    ours: { type: 'SMethod', name: 't', host: '0.0.0.0', port: 443, args_raw: '' },
    why: 'Handed on; which address clients reach is for the application to know.',
  },
  'ipc-parse-025': { ours: refused, why: 'Malformed, as in Arti; tor warns.' },
  'ipc-status-016': { ours: { A: '' }, why: 'An empty value is a value, as in tor.' },
  'ipc-status-017': {
    ours: [
      ['A', '1'],
      ['A', '2'],
    ],
    why: 'Duplicates are kept, in order.',
  },
  'name-027': { ours: { valid: true }, why: 'A C identifier; only the bridge lines of Arti reserve it.' },
  'parent-kvItem-010': { ours: { valid: true }, why: 'A bridge line cannot hold a space; SOCKS can.' },
  'parent-proxyUri-028': {
    ours: 'socks5://a%40b:c%3Ad%2Fe@192.0.2.1:1080',
    why: 'Percent-encoded, as the draft says URI; the form of tor is read.',
  },
}
