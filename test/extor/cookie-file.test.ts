import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { formatCookie, parseCookie, readCookieFile } from 'postern/extor'
import { expect, test } from 'vitest'
import { removeCookieFile, writeCookieFile } from '../../src/extor/cookie-file.ts'
import { tempDir } from '../support.ts'
import { cookie, cookieFile } from './peer.ts'

const header = '! Extended ORPort Auth Cookie !\n'
const key = '0123456789ABCDEF0123456789ABCDEF'

test('EXT-1: a cookie file is read back as it was written, and has a header of 32 bytes', () => {
  expect(formatCookie(cookie)).toEqual(Buffer.from(header + key))
  expect(parseCookie(formatCookie(cookie))).toEqual(cookie)
})

test.each([
  ['nothing', ''],
  ['the header alone', header],
  ['the cookie alone', key],
  ['another header', `! Impostor ORPort Auth Cookie !\n${key}`],
  ["the control port's header", `! Extended ORPort Auth Cookie !\r${key}`],
  ['a byte too many', `${header}${key}X`],
  ['a file of many bytes', `${header}${key}`.repeat(1000)],
  ...Array.from({ length: 64 }, (_, length) => [`a prefix of ${length} bytes`, (header + key).slice(0, length)]),
])('EXT-1: a cookie file that holds %s is PT_EXTOR_AUTH', async (_, text) => {
  const path = cookieFile(Buffer.from(text))
  await expect(readCookieFile(path)).rejects.toMatchObject({ code: 'PT_EXTOR_AUTH' })
})

test('EXT-1: what is no file is PT_EXTOR_AUTH and never a hang', async () => {
  const folder = tempDir()
  const paths = [join(folder, 'missing'), folder]
  if (process.platform !== 'win32') {
    execFileSync('mkfifo', [join(folder, 'pipe')])
    paths.push(join(folder, 'pipe'), '/dev/zero')
  }
  for (const path of paths) await expect(readCookieFile(path)).rejects.toMatchObject({ code: 'PT_EXTOR_AUTH' })
})

test('EXT-1: an error about a cookie file says which file, and nothing of what is in it', async () => {
  const path = cookieFile(Buffer.from(`${header}${key}X`))
  const error = await readCookieFile(path).catch((error: unknown) => String((error as Error).stack))
  expect(error).toContain(path)
  expect(error).not.toContain(key.slice(0, 8))
})

test('EXT-3: a cookie file is written whole, for its owner only, over what was there, and leaves no other file', async () => {
  const path = cookieFile(Buffer.from('old'))
  await writeCookieFile(path, cookie)
  expect(readFileSync(path)).toEqual(formatCookie(cookie))
  if (process.platform !== 'win32') expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(readdirSync(dirname(path))).toEqual(['extended_orport_auth_cookie'])
})

test('EXT-3: what a server that was killed had begun to write is removed by the next one', async () => {
  const path = cookieFile(Buffer.from('old'))
  writeFileSync(`${path}.0123456789ab.tmp`, formatCookie(cookie))
  await writeCookieFile(path, cookie)
  expect(readdirSync(dirname(path))).toEqual(['extended_orport_auth_cookie'])
})

test('EXT-3: a cookie file that cannot be written is PT_EXTOR and leaves no other file', async () => {
  const folder = tempDir()
  const path = join(folder, 'taken')
  mkdirSync(path)
  writeFileSync(join(path, 'inside'), '')
  await expect(writeCookieFile(path, cookie)).rejects.toMatchObject({ code: 'PT_EXTOR' })
  await expect(writeCookieFile(join(folder, 'no', 'folder'), cookie)).rejects.toMatchObject({ code: 'PT_EXTOR' })
  await expect(writeCookieFile(join(folder, 'short'), cookie.subarray(1))).rejects.toMatchObject({ code: 'PT_EXTOR' })
  expect(readdirSync(folder)).toEqual(['taken'])
})

test("EXT-3: a cookie file is removed at the end, unless a successor's cookie is in it", async () => {
  const path = cookieFile()
  await removeCookieFile(path, Buffer.alloc(32))
  expect(readFileSync(path)).toEqual(formatCookie(cookie))
  await removeCookieFile(path, cookie)
  expect(readdirSync(dirname(path))).toEqual([])
  await removeCookieFile(path, cookie)
})
