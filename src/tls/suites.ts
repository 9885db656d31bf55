/** The cipher suites of TLS 1.3 (RFC 8446, appendix B.4). Suites of older versions that a profile offers are never agreed on. */

export interface Suite {
  readonly id: number
  /** As node:crypto names it. */
  readonly cipher: 'aes-128-gcm' | 'aes-256-gcm' | 'chacha20-poly1305'
  readonly keyLength: 16 | 32
  readonly hash: 'sha256' | 'sha384'
  readonly hashLength: 32 | 48
}

const suites: readonly Suite[] = [
  { id: 0x1301, cipher: 'aes-128-gcm', keyLength: 16, hash: 'sha256', hashLength: 32 },
  { id: 0x1302, cipher: 'aes-256-gcm', keyLength: 32, hash: 'sha384', hashLength: 48 },
  { id: 0x1303, cipher: 'chacha20-poly1305', keyLength: 32, hash: 'sha256', hashLength: 32 },
]

export function suiteOf(id: number): Suite | undefined {
  return suites.find((suite) => suite.id === id)
}
