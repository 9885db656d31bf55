/**
 * Whose ClientHello a front is shown: what the arguments `utls` and `profile` of a bridge line mean.
 *
 *     utls      absent, hellochrome_…, helloedge_…, hello360_…, helloqq_…, helloandroid_…, hellorandomized…   Chromium
 *               hellofirefox_…                                                                            Firefox
 *               helloios_…, hellosafari_…                                        Chromium, as there is no profile of theirs
 *               none, hellogolang                                                                         Node's own TLS
 *     profile   auto, chromium, firefox, node: it counts more than `utls`, and all but `auto` are meant exactly so
 *
 * The names of `utls` are lyrebird's. Those of browsers are hellos of years ago, so what they mean here is that browser as it is today.
 *
 * Lint and the command line ask this file too, so it loads nothing of TLS.
 */
import type { ProfileName } from '../../tls/profiles/built-in.ts'
import type { Profile } from '../../tls/profiles/profile.ts'
import { ArgumentError } from '../argument.ts'

/** The programs whose hellos we have. */
export type Browser = 'chromium' | 'firefox' | 'node'

/** What the browser seems to do: it opens a WebSocket, or it loads a page, which offers HTTP/2. */
export type WebForm = 'websocket' | 'page'

/** One hello that a front may be shown. */
export interface FrontHello {
  /** For a profile of the user's own, the browser whose habits in HTTP go with it. */
  readonly browser: Browser
  readonly profile: ProfileName | Profile
  /** Protocols in place of those of the profile. */
  readonly alpn?: readonly string[]
}

/** The hellos for a front: the first one, and a second one if a hello may stay without an answer. */
export interface FrontProfile {
  readonly first: FrontHello
  readonly second: FrontHello | undefined
  /** What is to be said to the operator once: a whole sentence. */
  readonly notice?: string
}

/** The values of the two arguments, if they are there. */
export interface ProfileArguments {
  readonly utls: string | undefined
  readonly profile: string | undefined
}

const names = ['auto', 'chromium', 'firefox', 'node'] as const

const isBrowserOfUtls = /^(?:hello)?(chrome|edge|360|qq|android|firefox|ios|safari)(?:_[a-z0-9_]{1,30})?$/
const isRandom = /^(?:hello)?randomized(?:alpn|noalpn)?$/

/** Reads the two arguments. Throws PT_ARGS, with the name of the argument, for a name that means nothing. */
export function profileOf({ utls, profile }: ProfileArguments, form: WebForm): FrontProfile {
  if (profile !== undefined && profile !== 'auto') return { first: helloOf(named(profile), form), second: undefined }
  const { browser, notice } = ofUtls((utls ?? '').toLowerCase())
  const other: Partial<Record<Browser, Browser>> = { chromium: 'firefox', firefox: 'chromium' }
  const second = other[browser]
  return {
    first: helloOf(browser, form),
    second: second && helloOf(second, form),
    ...(notice === undefined ? {} : { notice }),
  }
}

/**
 * The hello of a profile that the user has given: the only one, whatever a bridge line asks for, `node` included. The line comes from
 * somebody else, and the user has said what an observer may see.
 */
export function onlyHello(profile: Profile): FrontProfile {
  return { first: { browser: /firefox/i.test(profile.browser) ? 'firefox' : 'chromium', profile }, second: undefined }
}

function named(profile: string): Browser {
  const found = names.find((name) => name === profile)
  if (found === undefined || found === 'auto')
    throw new ArgumentError('profile', `it is not one of ${names.join(', ')}`)
  return found
}

function ofUtls(utls: string): { browser: Browser; notice?: string } {
  if (utls === '' || isRandom.test(utls)) return { browser: 'chromium' }
  if (utls === 'none' || utls === 'hellogolang' || utls === 'golang') return { browser: 'node' }
  const family = isBrowserOfUtls.exec(utls)?.[1]
  if (family === undefined) throw new ArgumentError('utls', 'it is not a name of a ClientHello that lyrebird knows')
  if (family === 'firefox') return { browser: 'firefox' }
  if (family !== 'ios' && family !== 'safari') return { browser: 'chromium' }
  return { browser: 'chromium', notice: 'there is no profile of Safari; the ClientHello is that of Chromium' }
}

function helloOf(browser: Browser, form: WebForm): FrontHello {
  if (browser === 'firefox') return { browser, profile: 'firefox' }
  // This is what node:https offers.
  if (browser === 'node') return { browser, profile: 'node', alpn: ['http/1.1'] }
  return { browser, profile: form === 'websocket' ? 'chromium-websocket' : 'chromium-page' }
}
