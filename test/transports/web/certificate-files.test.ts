/** Certificate files that are read again when they change. */
import { execFileSync } from 'node:child_process'
import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { CertificateFiles } from '../../../src/transports/web/certificate-files.ts'
import type { Issued } from '../../tls/authority.ts'
import { authority } from '../../tls/authority.ts'
import { tempDir } from '../../support.ts'

const first = authority(['bridge.example']).leaf
const second = authority(['bridge.example']).leaf

interface Setup {
  readonly paths: { readonly cert: string; readonly key: string }
  readonly said: string[]
  readonly clock: { now: number }
  readonly open: () => Promise<CertificateFiles>
  readonly write: (cert: string, key: string) => void
}

function setup(leaf: Issued = first): Setup {
  const dir = tempDir()
  const paths = { cert: join(dir, 'cert.pem'), key: join(dir, 'key.pem') }
  const said: string[] = []
  const clock = { now: 0 }
  const write = (cert: string, key: string): void => {
    writeFileSync(paths.cert, cert)
    writeFileSync(paths.key, key)
  }
  write(leaf.pem, leaf.keyPem)
  return {
    paths,
    said,
    clock,
    write,
    open: () =>
      CertificateFiles.open(
        paths,
        (severity, text) => said.push(`${severity}: ${text}`),
        () => clock.now,
      ),
  }
}

test('the pair that is loaded is kept as long as the files are the same, and a new pair is used within five seconds', async () => {
  const { open, write, clock, said } = setup()
  const files = await open()
  const loaded = await files.current()
  clock.now = 10_000
  expect(await files.current()).toBe(loaded)
  write(second.pem, second.keyPem)
  clock.now = 14_999
  expect(await files.current()).toBe(loaded)
  clock.now = 15_000
  const renewed = await files.current()
  expect(renewed).not.toBe(loaded)
  expect(said).toEqual(['notice: the certificate files have changed: the new ones are in use'])
})

test('a pair of which one file is written later is not used in between, and that is said once', async () => {
  const { open, write, clock, said } = setup()
  const files = await open()
  const loaded = await files.current()
  write(second.pem, first.keyPem)
  for (clock.now = 5_000; clock.now < 40_000; clock.now += 5_000) expect(await files.current()).toBe(loaded)
  expect(said).toEqual([
    "warning: the certificate files have changed, and the old ones stay in use: malformed argument 'tls-key': it is not the key of the first certificate",
  ])
  write(second.pem, second.keyPem)
  clock.now += 5_000
  expect(await files.current()).not.toBe(loaded)
})

test('files that are gone, or are replaced by something else, leave the loaded pair in use', async () => {
  const { open, paths, clock, said } = setup()
  const files = await open()
  const loaded = await files.current()
  rmSync(paths.cert)
  clock.now += 5_000
  expect(await files.current()).toBe(loaded)
  expect(said.at(-1)).toContain("'tls-cert': it cannot be read: ENOENT")
  execFileSync('mkfifo', [paths.cert])
  clock.now += 5_000
  expect(await files.current()).toBe(loaded)
  clock.now += 5_000
  expect(await files.current()).toBe(loaded)
  expect(said).toHaveLength(1)
})

test('links that are set to other files, as by certbot, are followed', async () => {
  const { open, paths, clock } = setup()
  const real = `${paths.cert}.1`
  renameSync(paths.cert, real)
  symlinkSync(real, paths.cert)
  const files = await open()
  const loaded = await files.current()
  const [cert, key] = [`${paths.cert}.2`, `${paths.key}.2`]
  writeFileSync(cert, second.pem)
  writeFileSync(key, second.keyPem)
  for (const [from, to] of [
    [cert, paths.cert],
    [key, paths.key],
  ] as const) {
    symlinkSync(from, `${to}.new`)
    renameSync(`${to}.new`, to)
  }
  clock.now += 5_000
  expect(await files.current()).not.toBe(loaded)
})

test('many clients that come at once cause one look', async () => {
  const { open, write, clock, said } = setup()
  const files = await open()
  write(second.pem, second.keyPem)
  clock.now += 5_000
  const all = await Promise.all(Array.from({ length: 50 }, () => files.current()))
  expect(new Set(all).size).toBe(1)
  expect(said).toHaveLength(1)
})

describe('at the start', () => {
  const bad: readonly (readonly [what: string, cert: string, key: string, message: string])[] = [
    ['another key', first.pem, second.keyPem, "'tls-key': it is not the key of the first certificate"],
    ['no certificate', 'text', first.keyPem, "'tls-cert': it holds no certificate in PEM"],
    ['an empty certificate', '', first.keyPem, "'tls-cert': it holds no certificate in PEM"],
    ['no key', first.pem, first.pem, "'tls-key': it holds no key in PEM that can be used without a password"],
    [
      'a broken chain',
      `${first.pem}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
      first.keyPem,
      "'tls-cert': its chain cannot be used",
    ],
    ['too much', `${first.pem}${' '.repeat(1024 * 1024)}`, first.keyPem, "'tls-cert': it is too large"],
  ]
  test.each(bad)('files with %s are refused in words that name the option', async (_, cert, key, message) => {
    const { open, write } = setup()
    write(cert, key)
    await expect(open()).rejects.toMatchObject({ code: 'PT_ARGS', message: `malformed argument ${message}` })
  })

  test('a pipe is refused, and not waited for', async () => {
    const { open, paths } = setup()
    rmSync(paths.key)
    execFileSync('mkfifo', [paths.key])
    await expect(open()).rejects.toThrow("'tls-key': it is no file")
  })
})
