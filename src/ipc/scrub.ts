/**
 * Keeps addresses and secrets out of texts for the operator. Section "Anonymity Considerations" (ANON-1, ANON-4).
 *
 *     connect ECONNREFUSED 203.0.113.4:443           becomes    connect ECONNREFUSED [scrubbed]
 *     Get "https://cdn.example/secret?k=v": EOF      becomes    Get "https://[scrubbed]": EOF
 *
 * A PT chooses the texts that are read here, so each pattern takes time in proportion to the text: it either begins at the
 * beginning of a run of its characters, which a look-behind tests, or has a bound on every repetition before its last one.
 */
import { isIPv6 } from 'node:net'

const SCRUBBED = '[scrubbed]'

/** Shorter values (`iat-mode=0`) are no secrets, and taking them out would leave holes in every second word. */
const SECRET_LENGTH = 4
/** The beginning of a secret as long as this counts as a secret too, as programs cut long words off. */
const LONG_SECRET = 16
/** The length of such a beginning: a shorter one may be the beginning of other words. */
const HEAD_LENGTH = 8

/** The longest text that is shown of what a PT says, in characters. */
const TEXT_LIMIT = 2_000
/** Longer than any host name with its port. */
const WORD_LIMIT = 300

/** Everything after the scheme; a path of this machine is none. */
const url = /(?<!file:\/?)\/\/[^\s"<>]+/gi
/** Node's texts of a failed look-up end with the name: `getaddrinfo ENOTFOUND bridge.example`. */
const lookedUp = /\b((?:getaddrinfo|query[a-z0-9]{0,20})\s{1,8}[A-Z_]{1,40}\s{1,8})\S+/gi
const bracketed = /\[[0-9a-f:.]{2,45}(?:%[\w.-]{1,32})?\]/gi
/** A run of the characters of an IPv6 address, most often none. */
const colons = /(?<![0-9a-f:.])[0-9a-f:.]{2,}(?:%[\w.-]{1,32})?/gi
/** Four parts or more, decimal, octal or hexadecimal, whatever stands before and after. */
const ipv4 = /(?<!\d)(?:0x[0-9a-f]{1,8}|\d{1,4})(?:\.(?:0x[0-9a-f]{1,8}|\d{1,4})){3,}/gi
/** An address as host names have it: `ec2-203-0-113-77`. */
const dashed = /(?<!\d)\d{1,3}(?:[-_]\d{1,3}){3,}(?!\d)/g
/** An IPv4 address as one number. */
const number = /(?<![a-z0-9.])(?:0x[0-9a-f]{8}|\d{8,10})(?![a-z0-9])/gi
const hostAndPort = /(?<![\p{L}\p{N}_./-])[\p{L}\p{N}_.-]+:\d{1,5}(?!\d)/gu
/** What follows an address belongs to it: its port, and the path and query of a URL without a scheme. */
const rest = /\[scrubbed\](?:\.?:\d{1,5})?(?:[/?#][^\s"<>]*)?/g

/** Replaces every IP address, host with port, looked-up name, and URL after its scheme by `[scrubbed]`. */
export function scrubAddresses(text: string): string {
  return scrubWith(text, (rough) => rough)
}

function scrubWith(text: string, more: (text: string) => string): string {
  const rough = text
    .replace(url, `//${SCRUBBED}`)
    .replace(lookedUp, `$1${SCRUBBED}`)
    .replace(bracketed, (found) => (found.includes(':') ? SCRUBBED : found))
    .replace(colons, scrubColons)
    .replace(ipv4, SCRUBBED)
    .replace(dashed, SCRUBBED)
    .replace(number, (found) => (isAddressNumber(found) ? SCRUBBED : found))
    .replace(hostAndPort, (found) => (/^localhost:|[^.]\.[^.]/.test(found) ? SCRUBBED : found))
  return more(rough).replace(rest, SCRUBBED)
}

/** Go's texts of a failed look-up: `lookup bridge.example on 192.0.2.53:53: no such host`. */
const lookup = /\b(lookup )[^\s:,;"]+/g
const dotted = /(?<![\p{L}\p{N}_./-])[\p{L}\p{N}_.-]*\.[\p{L}\p{N}_-]{2,}\.?/gu
/** Arguments of bridge lines that are secrets, or that say where a bridge is. */
const argument =
  /\b(cert|password|secret|token|private-key|public-key|node-id|drbg-seed|fingerprint|url|fronts?|ice|sqsqueue)=[^\s;,]+/gi

/** Endings of names of files; any other word with a dot in it may be the name of a host. */
const fileEndings: ReadonlySet<string> = new Set(
  'c cfg cjs conf cpp crt db dll exe go gz h html ini js json key lock log mjs pem pid service sock state tar tmp toml ts txt xml yaml yml'.split(
    ' ',
  ),
)

/**
 * As scrubAddresses, for the words of another program: without names of hosts either, and without the values of well-known
 * arguments. In a text of ours that would remove names of files and versions.
 */
export function scrubForeign(text: string): string {
  return scrubWith(text.replace(argument, `$1=${SCRUBBED}`), (rough) =>
    rough
      .replace(lookup, `$1${SCRUBBED}`)
      .replace(dotted, (found) => (isHostName(found) ? SCRUBBED + (found.endsWith('.') ? '.' : '') : found)),
  )
}

/**
 * Returns `text` without the `secrets`, in any case of letters, and without the beginnings of long ones. A value too short to be
 * a secret stays.
 */
export function redact(text: string, secrets: readonly string[]): string {
  return secrets
    .filter((secret) => secret.length >= SECRET_LENGTH)
    .toSorted((a, b) => b.length - a.length)
    .reduce(takeOut, text)
}

/** Cuts `text` to the length that is shown, before the word that the cut goes through, as half an address would not be recognized. */
export function shorten(text: string): string {
  if (text.length <= TEXT_LIMIT) return text
  const at = TEXT_LIMIT - WORD_LIMIT
  return `${text.slice(0, at)}${text.slice(at, TEXT_LIMIT).replace(/(?<!\S)\S+$/, '')}…`
}

function takeOut(text: string, secret: string): string {
  const wanted = secret.toLowerCase()
  const within = text.toLowerCase()
  // Some letters are longer in lower case, so that the indices of the two texts would not agree.
  if (within.length !== text.length) return text.replaceAll(secret, SCRUBBED)
  const head = headOf(wanted)
  const parts: string[] = []
  let from = 0
  for (let at = within.indexOf(head); at !== -1; at = within.indexOf(head, from)) {
    let end = at + head.length
    while (end - at < wanted.length && within[end] === wanted[end - at]) end++
    parts.push(text.slice(from, at), SCRUBBED)
    from = end
  }
  return from === 0 ? text : `${parts.join('')}${text.slice(from)}`
}

/** Returns the beginning that stands for the whole secret. Names of hosts begin with common words, and the scheme of a URL tells nothing. */
function headOf(secret: string): string {
  const scheme = /^[a-z][a-z0-9+.-]{0,30}:\/\//.exec(secret)?.[0].length ?? 0
  if (secret.length < LONG_SECRET || (scheme === 0 && secret.includes('.'))) return secret
  return secret.slice(0, scheme + HEAD_LENGTH)
}

/** A longer run of such characters is no IPv6 address, and no more of its parts is looked at. */
const IPV6_LENGTH = 60

function scrubColons(found: string, at: number, text: string): string {
  if (!found.includes(':')) return found
  const [run = '', zone] = found.split('%')
  if (run.length > IPV6_LENGTH || run.split(':').length > 8) return SCRUBBED
  const before = /^:(?!:)/.test(run) ? ':' : ''
  const bare = run.slice(before.length).replace(/\.+$/, '')
  if (!isAddress(bare)) return found
  // Inside a word `::` is an operator, as in std::vector, unless the rest of an address is there.
  const inWord = /\w/.test(text[at - 1] ?? '') || (zone === undefined && /\w/.test(text[at + found.length] ?? ''))
  if (inWord && !(/\d/.test(bare) && bare.split(/:+/).filter((part) => part !== '').length > 1)) return found
  return `${before}${SCRUBBED}${run.slice(before.length + bare.length)}`
}

/** True for IPv6, perhaps with a port after its eighth group, the colon of a sentence, or words that look like groups before it. */
function isAddress(text: string): boolean {
  if ([text, text.replace(/:\d{1,5}$/, ''), text.replace(/:$/, '')].some((candidate) => isIPv6(candidate))) return true
  return text.includes('::') && /\d/.test(text) && text.split(/:+/).filter((part) => part !== '').length > 3
}

function isAddressNumber(text: string): boolean {
  const value = Number(text)
  return value >= 2 ** 24 && value < 2 ** 32
}

function isHostName(text: string): boolean {
  const last = text.replace(/\.$/, '').split('.').at(-1) ?? ''
  return (/^\p{L}{2,}$/u.test(last) || /^xn--/i.test(last)) && !fileEndings.has(last.toLowerCase())
}
