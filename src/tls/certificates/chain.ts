/**
 * The way from a server's certificate to a trusted one (RFC 5280, section 6, as browsers walk it): names match byte by byte, each
 * certificate is signed by the next, and every CA may vouch for what is below it.
 */
import type { AlertName } from '../alert.ts'
import { certificateFault } from '../alert.ts'
import type { Certificate } from './certificate.ts'
import { keyUsageBits } from './certificate.ts'
import { keepsConstraints } from './name-constraints.ts'
import type { RootStore } from './roots.ts'
import { isStrong, verifyIssued } from './signatures.ts'

/** The server's certificate, intermediates and root together. */
const MAX_DEPTH = 8
/** A server that sends certificates that issue each other in a circle must not keep us busy. */
const MAX_SIGNATURES = 64

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
const ANY_USAGE = '2.5.29.37.0'

export interface ChainOptions {
  readonly roots: RootStore
  /** In ms since 1970. */
  readonly now: number
}

/** Why a certificate cannot be used, and the alert that says so. */
interface Complaint {
  readonly alert: AlertName
  readonly says: string
}

/** Throws PT_CERTIFICATE unless one of the `others` or of the roots leads from `leaf` to a root. */
export async function verifyChain(
  leaf: Certificate,
  others: readonly Certificate[],
  options: ChainOptions,
): Promise<void> {
  const complaint = complaintAbout(leaf, options.now)
  if (complaint !== undefined) throw certificateFault(complaint.alert, `the server's certificate ${complaint.says}`)
  const walk = new Walk(others, options)
  if (await walk.from([leaf])) return
  const { alert, says } = walk.complaint ?? {
    alert: 'unknown_ca',
    says: 'no chain leads from it to a certificate that is trusted here',
  }
  throw certificateFault(alert, `the server's certificate cannot be trusted: ${says}`)
}

class Walk {
  readonly #others: readonly Certificate[]
  readonly #options: ChainOptions
  #signatures = 0
  /** Of the first issuer that would have led to a root, or part of the way there. */
  complaint: Complaint | undefined

  constructor(others: readonly Certificate[], options: ChainOptions) {
    this.#others = others
    this.#options = options
  }

  /** True if a way leads from the last certificate of `path` to a root. */
  async from(path: readonly Certificate[]): Promise<boolean> {
    const last = path.at(-1)!
    const { roots } = this.#options
    // A server whose own certificate is trusted needs no issuer.
    if (roots.withSubject(last.subject).some(({ der }) => der.equals(last.der))) return true
    if (path.length === MAX_DEPTH) return false
    for (const issuer of roots.withSubject(last.issuer)) {
      if (await this.#issues(issuer, path)) return true
    }
    for (const issuer of this.#others) {
      if (!issuer.subject.equals(last.issuer) || path.some(({ der }) => der.equals(issuer.der))) continue
      if ((await this.#issues(issuer, path)) && (await this.from([...path, issuer]))) return true
    }
    return false
  }

  async #issues(issuer: Certificate, path: readonly Certificate[]): Promise<boolean> {
    const complaint = complaintAbout(issuer, this.#options.now) ?? complaintAboutCa(issuer, path)
    if (complaint !== undefined) {
      this.complaint ??= { alert: complaint.alert, says: `a certificate above it ${complaint.says}` }
      return false
    }
    if (++this.#signatures > MAX_SIGNATURES) return false
    const last = path.at(-1)!
    try {
      if (!last.x509.checkIssued(issuer.x509)) return false
      return await verifyIssued(last, issuer.key)
    } catch {
      return false
    }
  }
}

/** What is wrong with a certificate by itself. */
function complaintAbout(certificate: Certificate, now: number): Complaint | undefined {
  const { notBefore, notAfter, extensions } = certificate
  if (now < notBefore) return { alert: 'certificate_expired', says: 'is not valid yet, or the clock here is wrong' }
  if (now > notAfter) return { alert: 'certificate_expired', says: 'has expired, or the clock here is wrong' }
  if (extensions.unknownCritical !== undefined) {
    return {
      alert: 'unsupported_certificate',
      says: `has a critical extension that is unknown here: ${extensions.unknownCritical}`,
    }
  }
  const { extendedKeyUsage: usage } = extensions
  if (usage !== undefined && !usage.has(SERVER_AUTH) && !usage.has(ANY_USAGE)) {
    return { alert: 'unsupported_certificate', says: 'is not for servers' }
  }
  try {
    if (isStrong(certificate.key)) return undefined
  } catch {
    return { alert: 'unsupported_certificate', says: 'has a key that cannot be read' }
  }
  return { alert: 'unsupported_certificate', says: 'has an RSA key of less than 2048 bits' }
}

/** What keeps a certificate from vouching for those of `path`. */
function complaintAboutCa({ extensions }: Certificate, path: readonly Certificate[]): Complaint | undefined {
  const { ca, keyUsage, pathLength, nameConstraints } = extensions
  if (!ca || keyUsage?.has(keyUsageBits.keyCertSign) === false) {
    return { alert: 'bad_certificate', says: 'is not one of a CA' }
  }
  // Certificates that a CA issued to itself do not count (RFC 5280, section 4.2.1.9).
  const between = path.slice(1).filter(({ issuer, subject }) => !issuer.equals(subject)).length
  if (pathLength !== undefined && between > pathLength) {
    return { alert: 'bad_certificate', says: 'may not stand above so many others' }
  }
  if (nameConstraints !== undefined && !path.every((one) => keepsConstraints(one, nameConstraints))) {
    return { alert: 'bad_certificate', says: 'may not vouch for its name' }
  }
  return undefined
}
