/** What a browser calls itself, of the version and the system of which its hello is. */
import { profiles } from '../../tls/profiles/built-in.ts'
import type { Browser } from './utls.ts'

/** The value of `User-Agent`. */
export function userAgent(browser: Browser): string {
  if (browser === 'node') return 'node'
  const version = /\d+/.exec(profiles[browser === 'firefox' ? 'firefox' : 'chromium-page'].name)?.[0]
  if (browser === 'firefox')
    return `Mozilla/5.0 (X11; Linux x86_64; rv:${version}.0) Gecko/20100101 Firefox/${version}.0`
  return `Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${version}.0.0.0 Safari/537.36`
}
