/**
 * The request of a client: the one with which a browser opens a WebSocket, in the browser's words and their order.
 *
 *     GET /path HTTP/1.1 … Connection: Upgrade … Upgrade: websocket … Sec-WebSocket-Key: …
 *
 * The heads are those of Chromium 156, Firefox 153 and Node 24, as they were seen. One field of theirs is left out: Sec-WebSocket-Extensions, as
 * what follows the answer is no frame that could be compressed.
 */
import type { Field } from '../../http1/fields.ts'
import { formatRequest } from '../../http1/request.ts'
import { userAgent } from '../web/user-agent.ts'
import type { Browser } from '../web/utls.ts'
import type { FrontUrl } from './front-url.ts'
import { hostField } from './front-url.ts'

/** Writes the request for `url`; `key` is 16 random bytes in base64. */
export function upgradeRequest(url: FrontUrl, browser: Browser, key: string): string {
  const host = hostField(url)
  return formatRequest(
    'GET',
    url.path,
    fieldsOf[browser]({ host, key, origin: `http${url.isSecure ? 's' : ''}://${host}` }),
  )
}

interface Values {
  readonly host: string
  readonly origin: string
  readonly key: string
}

const fieldsOf: Readonly<Record<Browser, (values: Values) => Field[]>> = {
  chromium: ({ host, origin, key }) => [
    ['Host', host],
    ['Connection', 'Upgrade'],
    ['Pragma', 'no-cache'],
    ['Cache-Control', 'no-cache'],
    ['User-Agent', userAgent('chromium')],
    ['Upgrade', 'websocket'],
    ['Origin', origin],
    ['Sec-WebSocket-Version', '13'],
    ['Accept-Encoding', 'gzip, deflate, br, zstd'],
    ['Accept-Language', 'en-US,en;q=0.9'],
    ['Sec-WebSocket-Key', key],
  ],
  firefox: ({ host, origin, key }) => [
    ['Host', host],
    ['User-Agent', userAgent('firefox')],
    ['Accept', '*/*'],
    ['Accept-Language', 'en-US,en;q=0.9'],
    ['Accept-Encoding', 'gzip, deflate, br, zstd'],
    ['Sec-WebSocket-Version', '13'],
    ['Origin', origin],
    ['Sec-WebSocket-Key', key],
    ['Connection', 'Upgrade'],
    ['Sec-Fetch-Dest', 'empty'],
    ['Sec-Fetch-Mode', 'websocket'],
    ['Sec-Fetch-Site', 'same-origin'],
    ['Pragma', 'no-cache'],
    ['Cache-Control', 'no-cache'],
    ['Upgrade', 'websocket'],
  ],
  node: ({ host, key }) => [
    ['host', host],
    ['connection', 'upgrade'],
    ['upgrade', 'websocket'],
    ['sec-websocket-key', key],
    ['sec-websocket-version', '13'],
    ['accept', '*/*'],
    ['accept-language', '*'],
    ['sec-fetch-mode', 'websocket'],
    ['user-agent', userAgent('node')],
    ['pragma', 'no-cache'],
    ['cache-control', 'no-cache'],
    ['accept-encoding', 'gzip, deflate'],
  ],
}
