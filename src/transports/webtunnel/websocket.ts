/** The handshake of a WebSocket, of which webtunnel has the request and the answer, and no frame (RFC 6455, section 4). */
import { createHash } from 'node:crypto'

/** RFC 6455, section 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** The bytes of a Sec-WebSocket-Key before base64. */
export const keyLength = 16

/** The Sec-WebSocket-Accept that answers a Sec-WebSocket-Key. */
export function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}${GUID}`).digest('base64')
}
