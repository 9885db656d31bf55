/**
 * The pages with which web servers answer to strangers that ask for what is not there, or speak no HTTP.
 *
 *     nginx      Server: nginx | Date | Content-Type: text/html | Content-Length | Connection: keep-alive
 *     caddy      Content-Length: 0                                   for a page that is not there
 *     haproxy    content-length | cache-control: no-cache | content-type: text/html
 *
 * A front passes these on to its client, with Server and Date of its own. test/interop/decoy.test.ts compares nginx's with those of a real one.
 */
import type { Field } from '../../http1/fields.ts'
import { lastValue } from '../../http1/fields.ts'
import { ArgumentError } from '../argument.ts'
import type { Asked, Fault, WebAnswer } from './web-answer.ts'

type Status = readonly [status: number, reason: string]

/** The pages of one web server. */
export interface ErrorPages {
  notFound(asked: Asked): WebAnswer
  fault(fault: Fault): WebAnswer
}

/** Makes the pages of the web server of this name: `nginx`, `nginx/1.22.1`, `caddy` or `haproxy`. Throws PT_ARGS, key `decoy`. */
export function errorPages(name: string): ErrorPages {
  if (name === 'caddy') return caddy
  if (name === 'haproxy') return haproxy
  if (/^nginx(?:\/[\w.-]{1,30})?$/.test(name)) return nginx(name)
  throw new ArgumentError('decoy', 'it is neither nginx, caddy, haproxy nor the absolute path of a folder')
}

/** An answer of nginx, whose Server field says `server`. Connection stands after the first of these that it has. */
export function nginxAnswer(
  server: string,
  [status, reason]: Status,
  fields: readonly Field[],
  body: Uint8Array,
): WebAnswer {
  const last = ['Last-Modified', 'Content-Length'].find((name) => fields.some(([one]) => one === name))
  return {
    status,
    reason,
    fields: [['Server', server], ['Date', new Date().toUTCString()], ...fields],
    connectionAfter: last ?? 'Date',
    keepAlive: 'keep-alive',
    body,
  }
}

/** A page of nginx that says no more than a status, or explains it. `end` follows the page. */
export function nginxPage(server: string, [status, reason]: Status, explanation?: string, end = ''): Buffer {
  const lines = [
    '<html>',
    `<head><title>${status} ${explanation ?? reason}</title></head>`,
    '<body>',
    `<center><h1>${status} ${reason}</h1></center>`,
    ...(explanation === undefined ? [] : [`<center>${explanation}</center>`]),
    `<hr><center>${server}</center>`,
    '</body>',
    '</html>',
  ]
  return Buffer.from(lines.map((line) => `${line}\r\n`).join('') + end, 'latin1')
}

/** The fields of a page in HTML. */
export function htmlFields(body: Uint8Array, ...more: Field[]): Field[] {
  return [['Content-Type', 'text/html'], ['Content-Length', String(body.length)], ...more]
}

/** nginx makes short pages longer for browsers that would show a page of their own instead. */
const padding = '<!-- a padding to disable MSIE and Chrome friendly error page -->\r\n'.repeat(6)

const nginxFaults: Readonly<Record<Fault, readonly [status: Status, explanation?: string]>> = {
  malformed: [[400, 'Bad Request']],
  'line too long': [[414, 'Request-URI Too Large']],
  'head too long': [[400, 'Bad Request'], 'Request Header Or Cookie Too Large'],
  'plain HTTP': [[400, 'Bad Request'], 'The plain HTTP request was sent to HTTPS port'],
}

function nginx(server: string): ErrorPages {
  return {
    notFound: (asked) => nginxError(server, [404, 'Not Found'], asked),
    fault(fault) {
      const [status, explanation] = nginxFaults[fault]
      const body = nginxPage(server, status, explanation)
      return nginxAnswer(server, status, htmlFields(body), body)
    },
  }
}

/** The answer of nginx to a request that fails. */
export function nginxError(server: string, status: Status, { method, fields }: Asked): WebAnswer {
  const isPadded = /MSIE |Chrome\//.test(lastValue(fields, 'User-Agent') ?? '')
  const body = nginxPage(server, status, undefined, isPadded ? padding : '')
  return nginxAnswer(server, status, htmlFields(body), method === 'HEAD' ? none : body)
}

const none = Buffer.alloc(0)

const caddy: ErrorPages = {
  notFound: () => ({
    status: 404,
    reason: 'Not Found',
    fields: [['Content-Length', '0']],
    connectionAfter: 'Content-Length',
    keepAlive: undefined,
    body: none,
  }),
  fault: (fault) => {
    const large = fault === 'line too long' || fault === 'head too long'
    const [status, reason] = large ? [431, 'Request Header Fields Too Large'] : [400, 'Bad Request']
    const text = fault === 'plain HTTP' ? 'Client sent an HTTP request to an HTTPS server.\n' : `${status} ${reason}`
    return {
      status,
      reason,
      fields: fault === 'plain HTTP' ? [] : [['Content-Type', 'text/plain; charset=utf-8']],
      connectionAfter: 'Content-Type',
      keepAlive: undefined,
      body: Buffer.from(text),
    }
  },
}

const haproxy: ErrorPages = {
  notFound: ({ method }) => {
    const body = Buffer.from('<html><body><h1>404 Not Found</h1>\nThe resource could not be found.\n</body></html>\n')
    return haproxyAnswer(404, 'Not Found', body, method === 'HEAD')
  },
  fault: () => {
    const body = Buffer.from(
      '<html><body><h1>400 Bad request</h1>\nYour browser sent an invalid request.\n</body></html>\n',
    )
    return haproxyAnswer(400, 'Bad request', body, false)
  },
}

function haproxyAnswer(status: number, reason: string, body: Buffer, isHead: boolean): WebAnswer {
  return {
    status,
    reason,
    fields: [
      ['Content-length', String(body.length)],
      ['Cache-Control', 'no-cache'],
      ['Content-Type', 'text/html'],
    ],
    connectionAfter: 'Cache-Control',
    keepAlive: undefined,
    body: isHead ? none : body,
  }
}
