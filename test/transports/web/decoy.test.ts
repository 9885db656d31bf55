/** What a server shows to strangers. test/interop/decoy.test.ts compares it with nginx. */
import { chmodSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkDecoy, openDecoy } from '../../../src/transports/web/decoy.ts'
import { formatAnswer } from '../../../src/transports/web/web-answer.ts'
import { tempDir } from '../../support.ts'

type Fields = readonly (readonly [string, string])[]

/** The answer to a request as text, without its Date. */
async function said(decoy: string, method: string, target: string, fields: Fields = []): Promise<string> {
  const answer = (await openDecoy(decoy)).answer({ method, target, fields })
  return formatAnswer(answer, false)
    .toString('latin1')
    .replace(/^Date: .* GMT\r\n/m, '')
}

const nginx404 = (server: string): string =>
  `<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not Found</h1></center>\r\n<hr><center>${server}</center>\r\n</body>\r\n</html>\r\n`

test('nginx says its page with the version that it is told, and no page to HEAD', async () => {
  expect(await said('nginx', 'GET', '/')).toBe(
    `HTTP/1.1 404 Not Found\r\nServer: nginx\r\nContent-Type: text/html\r\nContent-Length: 146\r\nConnection: keep-alive\r\n\r\n${nginx404('nginx')}`,
  )
  expect(await said('nginx/1.22.1', 'POST', '/x')).toContain(nginx404('nginx/1.22.1'))
  expect(await said('nginx', 'HEAD', '/')).toMatch(/\r\nContent-Length: 146\r\nConnection: keep-alive\r\n\r\n$/)
})

test('the answers of Caddy and HAProxy are theirs', async () => {
  expect(await said('caddy', 'GET', '/')).toBe('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n')
  expect(await said('haproxy', 'GET', '/')).toBe(
    'HTTP/1.1 404 Not Found\r\nContent-length: 83\r\nCache-Control: no-cache\r\nContent-Type: text/html\r\n\r\n' +
      '<html><body><h1>404 Not Found</h1>\nThe resource could not be found.\n</body></html>\n',
  )
})

test('a close is said in the place of the field that says it', async () => {
  const haproxy = await openDecoy('haproxy')
  const asked = { method: 'HEAD', target: '/', fields: [] }
  expect(String(formatAnswer(haproxy.answer(asked), true))).toContain(
    'Cache-Control: no-cache\r\nConnection: close\r\nContent',
  )
  expect(String(formatAnswer(haproxy.fault('malformed'), true))).toMatch(/^HTTP\/1\.1 400 Bad request\r\n/)
  const caddy = await openDecoy('caddy')
  expect(String(formatAnswer(caddy.fault('malformed'), true))).toBe(
    'HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request',
  )
})

/** A site, with what does not belong to it. */
function site(): string {
  const [folder, elsewhere] = [tempDir(), tempDir()]
  writeFileSync(join(elsewhere, 'secret.txt'), 'secret')
  mkdirSync(join(folder, 'about'))
  mkdirSync(join(folder, '.git'))
  for (const [name, text] of [
    ['index.html', '<p>home'],
    ['about/index.html', '<p>about'],
    ['a b.css', 'p {}'],
    ['data', '\x00\xff'],
    ['.htpasswd', 'secret'],
    ['.git/config', 'secret'],
  ] as const) {
    writeFileSync(join(folder, name), text, 'latin1')
    utimesSync(join(folder, name), 1_700_000_000, 1_700_000_000)
  }
  symlinkSync(join(elsewhere, 'secret.txt'), join(folder, 'link.txt'))
  symlinkSync(elsewhere, join(folder, 'linked'))
  return folder
}

test('a folder is a site: files with their types, index pages, and the way to a folder', async () => {
  const folder = site()
  expect(await said(folder, 'GET', '/')).toBe(
    'HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/html\r\nContent-Length: 7\r\n' +
      'Last-Modified: Tue, 14 Nov 2023 22:13:20 GMT\r\nConnection: keep-alive\r\nETag: "6553f100-7"\r\n\r\n<p>home',
  )
  expect(await said(folder, 'GET', '/about/?from=mail')).toMatch(/^HTTP\/1\.1 200 .*<p>about$/s)
  expect(await said(folder, 'GET', '/a%20b.css')).toMatch(/^HTTP\/1\.1 200 .*Content-Type: text\/css\r\n.*p \{\}$/s)
  expect(await said(folder, 'GET', '/data')).toMatch(/application\/octet-stream\r\n.*\r\n\r\n\x00\xff$/s)
  expect(await said(folder, 'HEAD', '/')).toMatch(/^HTTP\/1\.1 200 OK\r\n.*Content-Length: 7\r\n.*\r\n\r\n$/s)
  expect(await said(folder, 'GET', '/about')).toMatch(
    /^HTTP\/1\.1 301 .*\r\nConnection: keep-alive\r\nLocation: \/about\/\r\n/s,
  )
  expect(await said(folder, 'POST', '/')).toMatch(/^HTTP\/1\.1 405 Not Allowed\r\n/)
  expect(await said(folder, 'GET', 'http://h/about/')).toMatch(/<p>about$/)
})

test('a browser that has the page is told so', async () => {
  const folder = site()
  const known =
    /^HTTP\/1\.1 304 Not Modified\r\nServer: nginx\r\nLast-Modified: [^\r]+\r\nConnection: keep-alive\r\nETag: [^\r]+\r\n\r\n$/
  expect(await said(folder, 'GET', '/', [['If-Modified-Since', 'Tue, 14 Nov 2023 22:13:20 GMT']])).toMatch(known)
  expect(await said(folder, 'GET', '/', [['If-None-Match', '"x", W/"6553f100-7"']])).toMatch(known)
  const changed: Fields = [
    ['If-None-Match', '"x"'],
    ['If-Modified-Since', 'Tue, 14 Nov 2023 22:13:20 GMT'],
  ]
  expect(await said(folder, 'GET', '/', changed)).toMatch(/^HTTP\/1\.1 200 /)
})

test.each([
  '/../secret.txt',
  '/..%2fsecret.txt',
  '/%2e%2e/secret.txt',
  '/about/../../secret.txt',
  '/link.txt',
  '/linked/secret.txt',
  '/.htpasswd',
  '/.git/config',
  '/%2egit/config',
  '/index.html%00.css',
  '/index.html/',
  '//index.html',
  '/about/index',
  '/%ff',
  '/%',
  '/etc/passwd',
  '/constructor',
  '/__proto__',
  '\\index.html',
  '*',
  'h:443',
])('%s leads to nothing of the folder', async (target) => {
  const answer = await said(site(), 'GET', target)
  expect(answer).toMatch(/^HTTP\/1\.1 404 Not Found\r\n/)
  expect(answer).not.toContain('secret')
})

test('two slashes at the beginning never become a link to another host', async () => {
  const folder = tempDir()
  mkdirSync(join(folder, 'a'))
  writeFileSync(join(folder, 'a/index.html'), 'x')
  expect(await said(folder, 'GET', '//a')).toMatch(/^HTTP\/1\.1 404 /)
  expect(await said(folder, 'GET', '/a')).toContain('Location: /a/\r\n')
})

test('a page of the site for what is not there is used', async () => {
  const folder = site()
  writeFileSync(join(folder, '404.html'), '<p>gone')
  expect(await said(folder, 'GET', '/nothing')).toMatch(/^HTTP\/1\.1 404 Not Found\r\n.*<p>gone$/s)
})

test('a folder that cannot be read, or is too large, is refused at the start', async () => {
  const folder = tempDir()
  await expect(openDecoy(join(folder, 'missing'))).rejects.toThrow(
    "malformed argument 'decoy': it cannot be read: ENOENT",
  )
  for (let at = 0; at <= 1_000; at++) writeFileSync(join(folder, `${at}.txt`), '')
  await expect(openDecoy(folder)).rejects.toThrow('more than 1000 files')
  const large = tempDir()
  writeFileSync(join(large, 'large.bin'), Buffer.alloc(16 * 1024 * 1024 + 1))
  await expect(openDecoy(large)).rejects.toThrow('more than 16 MiB')
  const deep = tempDir()
  mkdirSync(join(deep, 'a/'.repeat(20)), { recursive: true })
  await expect(openDecoy(deep)).rejects.toThrow('more than 16 deep')
  chmodSync(deep, 0o755)
})

test.each(['apache', 'nginx/', 'nginx/1\r\nX: y', 'nginx 1', '', 'html', './html'])('decoy=%j is refused', (option) => {
  expect(() => checkDecoy(option)).toThrow(/^malformed argument 'decoy'/)
})
