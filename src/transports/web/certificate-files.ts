/**
 * The certificate and the key of a server that speaks TLS itself, in files that another program renews. They are looked at when a
 * client comes, so that no timer and no watcher of the file system is needed, and a renewed pair is used within seconds.
 *
 *     a client comes ── looked at less than LOOK_EVERY ago ── the pair that is loaded
 *                    └─ changed ── a good pair ── it is loaded
 *                               └─ a bad pair  ── the loaded one stays; one warning for each such change, and the next look tries again
 *
 * A program that renews them writes one file after the other, so for a moment the two do not belong together.
 */
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import type { ServerContext } from '../../tls/server-side.ts'
import { serverContext } from '../../tls/server-side.ts'
import type { Report } from '../../transport.ts'
import { ArgumentError } from '../argument.ts'

export interface CertificatePaths {
  /** The path of the chain in PEM, the server's own certificate first: `tls-cert`. */
  readonly cert: string
  /** The path of its key in PEM: `tls-key`. */
  readonly key: string
}

/** Between two looks at the files there are so many milliseconds at least. */
const LOOK_EVERY = 5_000
/** The longest file that is read. */
const MOST_BYTES = 1024 * 1024

interface Pair {
  readonly context: ServerContext
  readonly version: string
}

export class CertificateFiles {
  readonly #paths: CertificatePaths
  readonly #log: Report['log']
  readonly #now: () => number
  #pair: Pair
  #looked: number
  #looking: Promise<void> | undefined
  /** The change of which was said that it is bad. */
  #refused: string | undefined

  private constructor(paths: CertificatePaths, log: Report['log'], now: () => number, pair: Pair) {
    this.#paths = paths
    this.#log = log
    this.#now = now
    this.#pair = pair
    this.#looked = now()
  }

  /** Throws PT_ARGS, key `tls-cert` or `tls-key`, if the files cannot be used. `now` gives milliseconds of a clock that never goes back. */
  static async open(
    paths: CertificatePaths,
    log: Report['log'],
    now: () => number = () => performance.now(),
  ): Promise<CertificateFiles> {
    const version = await versionOf(paths)
    return new CertificateFiles(paths, log, now, { context: await load(paths), version })
  }

  /** The pair to use now. It never rejects. */
  async current(): Promise<ServerContext> {
    if (this.#now() - this.#looked >= LOOK_EVERY) this.#looking ??= this.#look()
    await this.#looking
    return this.#pair.context
  }

  async #look(): Promise<void> {
    let version = 'missing'
    try {
      version = await versionOf(this.#paths)
      if (version === this.#pair.version) return
      this.#pair = { context: await load(this.#paths), version }
      this.#refused = undefined
      this.#log('notice', 'the certificate files have changed: the new ones are in use')
    } catch (error) {
      if (this.#refused === version) return
      this.#refused = version
      this.#log(
        'warning',
        `the certificate files have changed, and the old ones stay in use: ${(error as Error).message}`,
      )
    } finally {
      this.#looked = this.#now()
      this.#looking = undefined
    }
  }
}

/** Two files with the same text here have not changed. */
async function versionOf(paths: CertificatePaths): Promise<string> {
  const versions = await Promise.all([opened('tls-cert', paths.cert, statOf), opened('tls-key', paths.key, statOf)])
  return versions.join(' ')
}

type Opened = Awaited<ReturnType<typeof open>>

async function statOf(file: Opened): Promise<string> {
  const { dev, ino, size, mtimeNs } = await file.stat({ bigint: true })
  return [dev, ino, size, mtimeNs].join(':')
}

async function load({ cert, key }: CertificatePaths): Promise<ServerContext> {
  const chain = await opened('tls-cert', cert, contentOf)
  const secret = await opened('tls-key', key, contentOf)
  return serverContext(chain, secret, (part, why) => new ArgumentError(part === 'key' ? 'tls-key' : 'tls-cert', why))
}

async function contentOf(file: Opened): Promise<Buffer> {
  const { size } = await file.stat()
  if (size > MOST_BYTES) throw new Error('it is too large')
  const bytes = Buffer.alloc(size)
  const { bytesRead } = await file.read(bytes, 0, size, 0)
  return bytes.subarray(0, bytesRead)
}

/** The files are opened without waiting, as a pipe would otherwise hold the server up. */
async function opened<T>(key: string, path: string, act: (file: Opened) => Promise<T>): Promise<T> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    if (!(await file.stat()).isFile()) throw new Error('it is no file')
    return await act(file)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new ArgumentError(key, code === undefined ? message : `it cannot be read: ${code}`)
  }
}
