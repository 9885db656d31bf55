/** Whether a server's certificates prove that it is the one that was asked for: by a chain to a root and a name, by a pin, or by both. */
import { isIP } from 'node:net'
import { certificateFault } from '../alert.ts'
import type { Certificate } from './certificate.ts'
import { keyUsageBits, parseCertificate } from './certificate.ts'
import { verifyChain } from './chain.ts'
import { matchesPin } from './pin.ts'
import type { RootStore } from './roots.ts'
import { defaultRoots } from './roots.ts'

export interface Verification {
  /** The name, or the IP address, that the certificate has to carry; undefined if any will do. */
  readonly name: string | undefined
  /** Undefined if the certificates are judged by their chain alone. */
  readonly pin: Uint8Array | undefined
  /** Undefined for those of the system; false if the pin alone counts. */
  readonly roots: RootStore | undefined | false
}

/** The server's own certificate, after all has been verified. Throws PT_CERTIFICATE otherwise. */
export async function verifyCertificates(ders: readonly Buffer[], verification: Verification): Promise<Certificate> {
  const [leaf, ...others] = ders.map(parse)
  if (leaf === undefined) throw certificateFault('bad_certificate', 'the server sent no certificate')
  const { pin, roots, name } = verification
  requireKey(leaf)
  if (pin !== undefined && !matchesPin(ders, pin)) {
    throw certificateFault(
      'bad_certificate',
      "the server's certificates are not those of the pin; it may have renewed them",
    )
  }
  if (leaf.extensions.keyUsage?.has(keyUsageBits.digitalSignature) === false) {
    throw certificateFault('unsupported_certificate', "the server's certificate is not for signatures")
  }
  if (roots !== false) {
    await verifyChain(leaf, others, { roots: roots ?? (await defaultRoots()), now: Date.now() })
    if (name !== undefined && !carries(leaf, name)) {
      throw certificateFault(
        'bad_certificate',
        "the server's certificate is for other names than the one that was asked for",
      )
    }
  }
  return leaf
}

function parse(der: Buffer): Certificate {
  try {
    const certificate = parseCertificate(der)
    // OpenSSL has to be able to read it too: keys and names are its.
    void certificate.x509
    return certificate
  } catch (cause) {
    throw certificateFault('bad_certificate', 'the server sent a certificate that cannot be read', cause)
  }
}

/** With a pin alone nobody else looks at the key before the handshake needs it. */
function requireKey(leaf: Certificate): void {
  try {
    void leaf.key
  } catch (cause) {
    throw certificateFault('unsupported_certificate', "the server's certificate has a key that cannot be read", cause)
  }
}

/** Names are those of subjectAltName; a common name is not one, as with browsers and Go. */
export function carries({ x509 }: Pick<Certificate, 'x509'>, name: string): boolean {
  if (isIP(name) > 0) return x509.checkIP(name) !== undefined
  return x509.checkHost(name, { subject: 'never', partialWildcards: false }) !== undefined
}
