/**
 * The numbers of SOCKS, for both sides. RFC 1928 (SOCKS 5), RFC 1929 (its user name and password), and the protocol
 * texts of SOCKS 4 and 4a.
 *
 *     SOCKS 5    05 n method×n            →  05 method
 *     password   01 n uname×n n passwd×n  →  01 status
 *     request    05 01 00 type addr port  →  05 code 00 type addr port
 *     SOCKS 4/4a 04 01 port addr userid×n 00 [name×n 00]  →  00 code port addr
 */

/** The first byte of everything that a client of that version sends, except the password message. */
export const SOCKS4 = 4
export const SOCKS5 = 5

/** The version of the password message and of its answer, which has nothing to do with the protocol's. */
export const PASSWORD_VERSION = 1
export const PASSWORD_GRANTED = 0
export const PASSWORD_REFUSED = 1

/** What a length byte can count: UNAME, PASSWD and a name in SOCKS 5. */
export const FIELD_LIMIT = 0xff

/**
 * SOCKS 4 limits neither USERID nor name, but a buffer has to end somewhere: longer ones are refused. 4096 bytes are eight
 * times what SOCKS 5 can carry, and a name may be as long as in SOCKS 5. Neither limit counts the NUL.
 */
export const USERID_LIMIT = 4096
export const NAME_LIMIT: number = FIELD_LIMIT

export const methods = { none: 0x00, password: 0x02, unacceptable: 0xff } as const

/** The only command that a PT serves. */
export const CONNECT = 1

/** What a PT asks of its upstream proxy for datagrams. */
export const UDP_ASSOCIATE = 3

export const addressTypes = { ipv4: 1, domain: 3, ipv6: 4 } as const

/** Reply codes of SOCKS 5 (RFC 1928, section 6). docs/decisions/0002-socks-replies.md says which failure is which. */
export const replies = {
  succeeded: 0,
  generalFailure: 1,
  notAllowed: 2,
  networkUnreachable: 3,
  hostUnreachable: 4,
  connectionRefused: 5,
  ttlExpired: 6,
  commandNotSupported: 7,
  addressTypeNotSupported: 8,
} as const

/** The second byte of a SOCKS 4 reply. 5c and 5d are about identd, which is no longer asked. */
export const GRANTED4 = 0x5a
export const REJECTED4 = 0x5b

/** Writes a SOCKS 5 reply. BND is always 0.0.0.0:0: no client of a transport reads it, and it could only give an address away. */
export function formatReply5(code: number): Uint8Array {
  return Uint8Array.of(SOCKS5, code, 0, addressTypes.ipv4, 0, 0, 0, 0, 0, 0)
}

/** Writes a SOCKS 4 reply. Its first byte is 00, which Arti checks and tor ignores; every failure is 5b. */
export function formatReply4(code: typeof GRANTED4 | typeof REJECTED4): Uint8Array {
  return Uint8Array.of(0, code, 0, 0, 0, 0, 0, 0)
}
