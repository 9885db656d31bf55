/**
 * A small web site out of a folder. It is read once, when the server starts, so that no request can reach a file that is not in it:
 * regular files alone, no links, nothing whose name begins with a dot, and a limited size.
 *
 *     index.html       → /             about/index.html → /about/, and /about leads there
 *     img/logo.png     → /img/logo.png
 *     404.html         → the page for what is not there
 */
import { constants } from 'node:fs'
import { open, readdir } from 'node:fs/promises'
import { extname, join } from 'node:path'
import type { Field } from '../../http1/fields.ts'
import { lastValue, listItems } from '../../http1/fields.ts'
import { ArgumentError } from '../argument.ts'
import type { Asked, WebAnswer } from './web-answer.ts'
import { pathOf } from './web-answer.ts'
import type { ErrorPages } from './error-pages.ts'
import { htmlFields, nginxAnswer, nginxError, nginxPage } from './error-pages.ts'

const MOST_FILES = 1_000
const MOST_BYTES = 16 * 1024 * 1024
const DEEPEST = 16

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.htm': 'text/html',
  '.css': 'text/css',
  '.js': 'application/javascript',
  '.json': 'application/json',
  '.txt': 'text/plain',
  '.xml': 'text/xml',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.gif': 'image/gif',
  '.webp': 'image/webp',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.pdf': 'application/pdf',
}

interface Page {
  readonly body: Buffer
  readonly type: string
  readonly modified: string
  readonly etag: string
}

/** The pages by their path. */
export type Site = ReadonlyMap<string, Page>

/** Reads the folder. Throws PT_ARGS, key `decoy`, if it cannot be read or is too large. */
export async function readSite(folder: string): Promise<Site> {
  const pages = new Map<string, Page>()
  let size = 0
  const readFolder = async (below: string, depth: number): Promise<void> => {
    if (depth > DEEPEST) throw new ArgumentError('decoy', `it has folders more than ${DEEPEST} deep`)
    for (const entry of await readdir(join(folder, below), { withFileTypes: true })) {
      const path = `${below}/${entry.name}`
      if (entry.name.startsWith('.')) continue
      if (entry.isDirectory()) await readFolder(path, depth + 1)
      if (!entry.isFile()) continue
      const page = await readPage(join(folder, path), MOST_BYTES - size)
      size += page.body.length
      if (pages.size === MOST_FILES) throw new ArgumentError('decoy', `it has more than ${MOST_FILES} files`)
      pages.set(path, page)
    }
  }
  try {
    await readFolder('', 0)
  } catch (error) {
    if (error instanceof ArgumentError) throw error
    throw new ArgumentError('decoy', `it cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`)
  }
  return pages
}

async function readPage(path: string, most: number): Promise<Page> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  const { size, mtime } = await file.stat()
  if (size > most) throw new ArgumentError('decoy', `its files have more than ${MOST_BYTES / 1024 / 1024} MiB`)
  const body = Buffer.alloc(size)
  const { bytesRead } = await file.read(body, 0, size, 0)
  return {
    body: body.subarray(0, bytesRead),
    type: types[extname(path).toLowerCase()] ?? 'application/octet-stream',
    modified: mtime.toUTCString(),
    etag: `"${Math.floor(mtime.getTime() / 1000).toString(16)}-${bytesRead.toString(16)}"`,
  }
}

/** The answer to a request, as nginx gives it for the files of a folder. `pages` has the answer for what is not there. */
export function answerFrom(site: Site, asked: Asked, pages: ErrorPages): WebAnswer {
  const path = decoded(pathOf(asked.target))
  if (path === undefined) return pages.notFound(asked)
  const page = site.get(path.endsWith('/') ? `${path}index.html` : path)
  if (page !== undefined) return pageAnswer(page, asked)
  if (site.has(`${path}/index.html`)) return redirection(pathOf(asked.target), asked)
  const own = site.get('/404.html')
  return own === undefined ? pages.notFound(asked) : whole([404, 'Not Found'], own, asked, [])
}

const SERVER = 'nginx'
const none = Buffer.alloc(0)

function pageAnswer(page: Page, asked: Asked): WebAnswer {
  if (asked.method !== 'GET' && asked.method !== 'HEAD') return nginxError(SERVER, [405, 'Not Allowed'], asked)
  const dates: Field[] = [
    ['Last-Modified', page.modified],
    ['ETag', page.etag],
  ]
  if (isKnown(page, asked.fields)) return nginxAnswer(SERVER, [304, 'Not Modified'], dates, none)
  return whole([200, 'OK'], page, asked, dates)
}

function whole(
  status: readonly [number, string],
  { type, body }: Page,
  asked: Asked,
  more: readonly Field[],
): WebAnswer {
  const fields: Field[] = [['Content-Type', type], ['Content-Length', String(body.length)], ...more]
  return nginxAnswer(SERVER, status, fields, asked.method === 'HEAD' ? none : body)
}

/** True if the client has said that it has this very page (RFC 9110, section 13.2.2). */
function isKnown({ etag, modified }: Page, fields: readonly Field[]): boolean {
  const etags = listItems(fields, 'If-None-Match')
  if (etags.length > 0) return etags.some((one) => one === '*' || one.replace(/^W\//, '') === etag)
  return lastValue(fields, 'If-Modified-Since') === modified
}

/** `path` is written as it was asked for. It begins with one slash only, or it would lead to another host. */
function redirection(path: string, { method }: Asked): WebAnswer {
  const status = [301, 'Moved Permanently'] as const
  const body = nginxPage(SERVER, status)
  const fields = htmlFields(body, ['Location', `${path.replace(/^\/+/, '/')}/`])
  return nginxAnswer(SERVER, status, fields, method === 'HEAD' ? none : body)
}

/** Undefined if it is no text in UTF-8. There is nothing to climb out of: a site is a list. */
function decoded(path: string): string | undefined {
  try {
    return decodeURIComponent(path)
  } catch {
    return undefined
  }
}
