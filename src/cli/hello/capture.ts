/** `postern hello capture`: the hellos of a browser, until their profile is known. */
import type { FileHandle } from 'node:fs/promises'
import { open, rm } from 'node:fs/promises'
import type { CapturedHello } from '../../tls/hellos/client-hello.ts'
import { hasTicket } from '../../tls/hellos/client-hello.ts'
import type { Learned } from '../../tls/hellos/learn.ts'
import { formOf, hellosNeeded, learnProfile } from '../../tls/hellos/learn.ts'
import { formatProfile } from '../../tls/profiles/file.ts'
import { printable } from '../printable.ts'
import { atFirstSignal } from '../signals.ts'
import { UsageError } from '../usage.ts'
import type { BrowserName } from './browser-name.ts'
import { browserName } from './browser-name.ts'
import { listenForHellos } from './listener.ts'
import type { Form } from './page.ts'

/** Hellos of more forms than this are not of one browser. */
const MOST_FORMS = 16
const MOST_HELLOS = 1_000

/** How long the page has for the answer that it is done, in ms: from the last hello on, and from when it has asked. */
const LAST_WORDS = { atMost: 3_000, onceAsked: 100 } as const

export interface CaptureValues {
  readonly form: Form
  readonly out: string | undefined
  readonly name: string | undefined
  readonly port: number
  /** In ms. */
  readonly timeout: number
}

/** Returns the exit status. */
export async function capture(values: CaptureValues): Promise<number> {
  const { form, out, timeout, port } = values
  const file = out === undefined ? undefined : await createFile(out)
  const stop = new AbortController()
  const timer = setTimeout(() => stop.abort(), timeout)
  const done = atFirstSignal(['SIGINT', 'SIGTERM'], () => stop.abort())
  let learned: Learned | undefined
  try {
    learned = await fromBrowser({ form, port, name: values.name, signal: stop.signal })
    if (learned !== undefined) await print(learned, file)
  } finally {
    clearTimeout(timer)
    done()
    await file?.close()
    if (learned === undefined && out !== undefined) await rm(out, { force: true })
  }
  return learned === undefined ? 1 : 0
}

interface FromBrowser {
  readonly form: Form
  readonly port: number
  readonly name: string | undefined
  readonly signal: AbortSignal
}

async function fromBrowser({ form, port, name, signal }: FromBrowser): Promise<Learned | undefined> {
  const hellos = new Hellos()
  let end = (): void => undefined
  const enough = new Promise<void>((resolve) => (end = resolve))
  let browser: BrowserName = browserName('')
  await using listener = await listenForHellos({
    form,
    port,
    onUserAgent: (userAgent) => (browser = browserName(userAgent)),
    onHello: (hello) => {
      hellos.add(hello)
      // A program that is no browser does not ask.
      if (hellos.status().done) setTimeout(end, LAST_WORDS.atMost)
    },
    status: () => {
      const status = hellos.status()
      if (status.done) setTimeout(end, LAST_WORDS.onceAsked)
      return status
    },
  })
  tell(introduction(listener.port))
  signal.addEventListener('abort', () => end(), { once: true })
  await enough
  const { seen, needed, done } = hellos.status()
  if (!done) {
    tell(
      `postern: ended with ${seen} of ${needed} hellos, so there is no profile. Is the page still open in the browser?\n`,
    )
    return undefined
  }
  const major = /^\d+/.exec(browser.version)?.[0] ?? ''
  return learnProfile(hellos.best(), {
    name: name ?? [browser.browser.toLowerCase(), major, form].filter((part) => part !== '').join('-'),
    ...browser,
    date: new Date().toISOString().slice(0, 10),
    source: `postern hello capture --form ${form}, ${seen} hellos`,
  })
}

/** Hellos by their form. A browser may send some of another form, for another use; the most frequent one counts. */
class Hellos {
  readonly #byForm = new Map<string, CapturedHello[]>()

  add(hello: CapturedHello): void {
    const form = formOf(hello)
    const list = this.#byForm.get(form) ?? []
    if (list.length >= MOST_HELLOS || (!this.#byForm.has(form) && this.#byForm.size >= MOST_FORMS)) return
    this.#byForm.set(form, [...list, hello])
  }

  best(): readonly CapturedHello[] {
    return [...this.#byForm.values()].reduce((best, list) => (list.length > best.length ? list : best), [])
  }

  status(): { readonly seen: number; readonly needed: number; readonly done: boolean } {
    const best = this.best()
    const [seen, needed] = [best.length, hellosNeeded(best)]
    return { seen, needed, done: seen >= needed && best.some((hello) => !hasTicket(hello)) }
  }
}

function introduction(port: number): string {
  const http = `http://localhost:${port}/`
  return `Open this address in the browser, and leave the page open until it says that it is done:

  ${http}

The page opens connections to https://localhost:${port}/ and wss://localhost:${port}/. They fail, as the certificate is a
new one that nobody signed, and the hello has been sent by then. To see what the browser sends on a repeat visit too, open
https://localhost:${port}/ first, and accept the certificate. For a name of your own in place of localhost:

  Chromium   --host-resolver-rules="MAP bridge.example 127.0.0.1"
  Firefox    network.dns.forceResolve = 127.0.0.1, in about:config

`
}

async function print({ profile, assumed }: Learned, file: FileHandle | undefined): Promise<void> {
  const text = formatProfile(profile)
  if (file === undefined) process.stdout.write(text)
  else await file.writeFile(text)
  tell(`The profile is that of ${printable(`${profile.browser} ${profile.version}`)}: ${profile.source}.\n`)
  if (assumed.length > 0)
    tell(`Not seen, and taken from what is known of the nearest browser: ${assumed.join('; ')}.\n`)
}

/** An existing file is not replaced: it may be what somebody has taken pains with. */
async function createFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') throw new UsageError('--out: there is such a file already')
    if (code === 'ENOENT') throw new UsageError('--out: there is no such folder')
    throw new UsageError(`--out: the file cannot be written (${code})`)
  }
}

function tell(text: string): void {
  process.stderr.write(text)
}
