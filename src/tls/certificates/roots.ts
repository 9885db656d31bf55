/**
 * The certificates that are trusted: those that are given; or those of SSL_CERT_FILE and SSL_CERT_DIR, as OpenSSL and Go read them; or
 * the system's, if this Node can read them; or those that come with Node.
 */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import * as tls from 'node:tls'
import { PtError } from '../../error.ts'
import type { Certificate } from './certificate.ts'
import { parseCertificate, subjectOf } from './certificate.ts'

/** Trusted certificates by subject. They are read whole only when a chain comes to them. */
export class RootStore {
  readonly #bySubject = new Map<string, (Buffer | Certificate)[]>()

  constructor(ders: Iterable<Buffer>) {
    const hash = createHash('sha256')
    for (const der of ders) {
      hash.update(der)
      let subject: string
      try {
        subject = subjectOf(der).toString('latin1')
      } catch {
        continue // A file of roots may hold one that we cannot read; it then vouches for nothing.
      }
      this.#bySubject.set(subject, [...(this.#bySubject.get(subject) ?? []), der])
    }
    this.id = hash.digest('hex')
  }

  /** The hash of all of them. */
  readonly id: string

  get isEmpty(): boolean {
    return this.#bySubject.size === 0
  }

  withSubject(subject: Buffer): Certificate[] {
    const roots = this.#bySubject.get(subject.toString('latin1')) ?? []
    return roots.flatMap((root, at) => {
      if (!Buffer.isBuffer(root)) return [root]
      try {
        return [(roots[at] = parseCertificate(root))]
      } catch {
        return []
      }
    })
  }
}

/** The certificates of a text in PEM, as DER. */
export function readPem(text: string): Buffer[] {
  const blocks = text.matchAll(/-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----([^-]+)-----END/g)
  return [...blocks].map(([, base64 = '']) => Buffer.from(base64, 'base64'))
}

/** How many stores of given certificates are kept. */
const KEPT = 8
const given = new Map<string, RootStore>()

/** The store of certificates in PEM. An application gives the same ones for every connection, so the last few stores are kept. */
export function givenRoots(pem: string | readonly string[]): RootStore {
  const text = typeof pem === 'string' ? pem : pem.join('\n')
  const store = given.get(text) ?? new RootStore(readPem(text))
  given.delete(text)
  given.set(text, store)
  const [oldest = text] = given.keys()
  if (given.size > KEPT) given.delete(oldest)
  return store
}

/** One store for each setting of the environment, for the life of the process, as OpenSSL keeps them. */
const stores = new Map<string, Promise<RootStore>>()

export async function defaultRoots(): Promise<RootStore> {
  const { SSL_CERT_FILE: file = '', SSL_CERT_DIR: dir = '' } = process.env
  const key = `${file}\n${dir}`
  let store = stores.get(key)
  if (store === undefined) {
    store = file === '' && dir === '' ? Promise.resolve(systemRoots()) : readRoots(file, dir)
    stores.set(key, store)
    // What could not be read may be there the next time.
    store.catch(() => stores.delete(key))
  }
  return await store
}

/** Node can read the system's from 22.15 on. */
interface NodeRoots {
  readonly getCACertificates?: (type: 'system' | 'extra') => readonly string[]
}

function systemRoots(): RootStore {
  const { getCACertificates } = tls as NodeRoots
  const system = getCACertificates === undefined ? [] : [...getCACertificates('system'), ...getCACertificates('extra')]
  return new RootStore((system.length > 0 ? system : tls.rootCertificates).flatMap(readPem))
}

async function readRoots(file: string, dirs: string): Promise<RootStore> {
  const ders: Buffer[] = []
  try {
    if (file !== '') ders.push(...readPem(await readFile(file, 'latin1')))
    for (const dir of dirs.split(delimiter).filter((one) => one !== '')) {
      for (const name of await readdir(dir))
        ders.push(...readPem(await readFile(join(dir, name), 'latin1').catch(() => '')))
    }
  } catch (cause) {
    throw new PtError('PT_CERTIFICATE', 'the certificates of SSL_CERT_FILE or SSL_CERT_DIR cannot be read', {
      cause,
      stage: 'local',
    })
  }
  const store = new RootStore(ders)
  if (store.isEmpty) {
    throw new PtError('PT_CERTIFICATE', 'there is no certificate in SSL_CERT_FILE and SSL_CERT_DIR', { stage: 'local' })
  }
  return store
}
