/**
 * Keeps addresses and secrets out of texts for the operator. Section "Anonymity Considerations" (ANON-1, ANON-4).
 *
 *     connect ECONNREFUSED 203.0.113.4:443    becomes    connect ECONNREFUSED [scrubbed]
 */
import { isIPv6 } from 'node:net'

const SCRUBBED = '[scrubbed]'

/** Shorter values (`iat-mode=0`) are no secrets, and taking them out would leave holes in every second word. */
const SECRET_LENGTH = 4

/** A scheme has an end, so that long words of dots and dashes are not searched from each of them to the end. */
const authority = /\b([a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/"'<>]+/gi
const ipv4 = /(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?(?![\w]|\.\d)/g
const bracketed = /\[[0-9a-f:.]*:[0-9a-f:.]*(?:%[\w.-]+)?\](?::\d{1,5})?/gi
const bareIpv6 = /(?<![\w:.])[0-9a-f:]*:[0-9a-f:.]*[0-9a-f:](?:%[\w.-]+)?/gi
const hostAndPort = /(?<![\w./-])(?:localhost|[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_-]+)+\.?):\d{1,5}\b/gi
/** Node's texts of a failed look-up end with the name: `getaddrinfo ENOTFOUND bridge.example`. */
const lookedUp = /\b((?:getaddrinfo|query[A-Za-z0-9]*)\s+[A-Z_]+\s+)\S+/g

/** `text` with every IP address, host with port, URL authority and looked-up name replaced by `[scrubbed]`. */
export function scrubAddresses(text: string): string {
  return text
    .replace(authority, `$1${SCRUBBED}`)
    .replace(lookedUp, `$1${SCRUBBED}`)
    .replace(bracketed, SCRUBBED)
    .replace(bareIpv6, (found) => (isAddress(found) ? SCRUBBED : found))
    .replace(ipv4, SCRUBBED)
    .replace(hostAndPort, SCRUBBED)
}

/** `text` with every occurrence of each of `secrets` taken out; those too short to be one are left. */
export function redact(text: string, secrets: readonly string[]): string {
  return secrets
    .filter((secret) => secret.length >= SECRET_LENGTH)
    .toSorted((a, b) => b.length - a.length)
    .reduce((rest, secret) => rest.replaceAll(secret, SCRUBBED), text)
}

/** IPv6, perhaps with a zone, a port behind its eighth group, or the colon of a sentence. */
function isAddress(text: string): boolean {
  const bare = text.replace(/%.*$/, '')
  return [bare, bare.replace(/:\d{1,5}$/, ''), bare.replace(/:$/, '')].some((candidate) => isIPv6(candidate))
}
