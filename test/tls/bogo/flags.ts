/** The command line of a shim of BoGo: what it says is done, is of no meaning to us, or makes the test one that is not for us. */

/** The connection that a flag is about. */
type Phase = 'all' | 'initial' | 'resume' | 'retry'

/** A flag that is taken: true if a value follows it. `undefined` in all other cases, and the shim then says that it cannot do it. */
const taken: Readonly<Record<string, boolean>> = {
  port: true,
  'shim-id': true,
  'resume-count': true,
  'host-name': true,
  'min-version': true,
  'max-version': true,
  'expect-version': true,
  'advertise-alpn': true,
  'expect-alpn': true,
  curves: true,
  'key-shares': true,
  'verify-prefs': true,
  'trust-cert': true,
  'shim-writes-first': false,
  'shim-shuts-down': false,
  'check-close-notify': false,
  'expect-session-miss': false,
  'expect-no-session': false,
  ipv6: false,
  'enable-ech-grease': false,
  // What follows changes nothing for a client of TLS 1.3 alone, or cannot be asked of it.
  async: false,
  'enable-grease': false,
  'permute-extensions': false,
  'enable-ocsp-stapling': false,
  'enable-signed-cert-timestamps': false,
  'expect-extended-master-secret': false,
  'expect-secure-renegotiation': false,
  'implicit-handshake': false,
  'no-op-extra-handshake': false,
  'handshake-twice': false,
  'no-tls1': false,
  'no-tls11': false,
  'no-tls12': false,
  'peek-then-read': false,
  'partial-write': false,
  'renegotiate-freely': false,
  'renegotiate-ignore': false,
  'renegotiate-once': false,
  'renegotiate-explicit': false,
  'use-custom-verify-callback': false,
  'use-early-callback': false,
  'verify-peer': false,
  'expect-hrr': false,
  'expect-no-hrr': false,
  'read-size': true,
  'expect-cipher': true,
  'expect-cipher-aes': true,
  'expect-cipher-no-aes': true,
  'expect-curve-id': true,
  'expect-peer-signature-algorithm': true,
  'expect-total-renegotiations': true,
  'expect-peer-cert-file': true,
}

/** The flags of one connection; those with a value have all values in their order. */
export type Flags = Readonly<Record<string, readonly string[] | undefined>>

export class Unsupported extends Error {}

/** Throws Unsupported for a flag that is not taken. */
export function readFlags(argv: readonly string[]): (phase: 'initial' | 'resume') => Flags {
  const found: { phase: Phase; name: string; value: string }[] = []
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at]!
    const [, phase = 'all', name = ''] = /^-(?:on-(initial|resume|retry)-)?(.+)$/.exec(word) ?? []
    const hasValue = taken[name]
    if (hasValue === undefined) throw new Unsupported(word)
    found.push({ phase: phase as Phase, name, value: hasValue ? argv[++at]! : '' })
  }
  return (phase) => {
    const flags: Record<string, string[]> = {}
    for (const { phase: of, name, value } of found) if (of === 'all' || of === phase) (flags[name] ??= []).push(value)
    return flags
  }
}
