/** What a browser says of itself in User-Agent, as far as a profile tells it. */

export interface BrowserName {
  readonly browser: string
  readonly version: string
  readonly platform: string
}

/** The first that fits counts: other browsers name Chrome and Safari as well. */
const browsers: readonly (readonly [browser: string, version: RegExp])[] = [
  ['Edge', /\bEdg\/([\d.]{1,40})/],
  ['Opera', /\bOPR\/([\d.]{1,40})/],
  ['Firefox', /\bFirefox\/([\d.]{1,40})/],
  ['Chromium', /\b(?:Headless)?Chrom(?:e|ium)\/([\d.]{1,40})/],
  ['Safari', /\bVersion\/([\d.]{1,40}) .*Safari\//],
]

const unknown: BrowserName = { browser: 'unknown', version: 'unknown', platform: 'unknown' }

/** `Mozilla/5.0 (X11; Linux x86_64; rv:153.0) …` is of the platform `X11; Linux x86_64; rv:153.0`. */
export function browserName(userAgent: string): BrowserName {
  const platform = /^[^()]*\(([\x20-\x27\x2a-\x7e]{1,100})\)/.exec(userAgent)?.[1]?.trim()
  for (const [browser, version] of browsers) {
    const found = version.exec(userAgent)?.[1]
    if (found !== undefined) return { browser, version: found, platform: platform || unknown.platform }
  }
  return { ...unknown, platform: platform || unknown.platform }
}
