import { describe, expect, test } from 'vitest'
import { profiles } from '../../../src/tls/index.ts'
import type { Browser } from '../../../src/transports/web/utls.ts'
import { onlyHello, profileOf } from '../../../src/transports/web/utls.ts'

describe('the names of lyrebird', () => {
  test.each<[string | undefined, Browser, Browser | undefined]>([
    [undefined, 'chromium', 'firefox'],
    ['', 'chromium', 'firefox'],
    ['hellochrome_auto', 'chromium', 'firefox'],
    ['HelloChrome_120', 'chromium', 'firefox'],
    ['helloedge_85', 'chromium', 'firefox'],
    ['hello360_7_5', 'chromium', 'firefox'],
    ['helloqq_11_1', 'chromium', 'firefox'],
    ['helloandroid_11', 'chromium', 'firefox'],
    ['HelloRandomizedALPN', 'chromium', 'firefox'],
    ['hellorandomizednoalpn', 'chromium', 'firefox'],
    ['hellorandomized', 'chromium', 'firefox'],
    ['hellofirefox_auto', 'firefox', 'chromium'],
    ['firefox', 'firefox', 'chromium'],
    ['helloios_14', 'chromium', 'firefox'],
    ['hellosafari_auto', 'chromium', 'firefox'],
    ['none', 'node', undefined],
    ['hellogolang', 'node', undefined],
  ])('%s: the hello of %s, and if it gets no answer that of %s', (utls, first, second) => {
    const found = profileOf({ utls, profile: undefined }, 'websocket')
    expect([found.first.browser, found.second?.browser]).toEqual([first, second])
    expect(found.notice === undefined).toBe(!/ios|safari/.test(utls ?? ''))
  })

  test.each(['chrom', 'hello', 'hellochrome auto', 'hellochrome_', 'hellolynx_auto', 'none_'])(
    'PT_ARGS: %s is none of them',
    (utls) => {
      expect(() => profileOf({ utls, profile: undefined }, 'page')).toThrow(
        expect.objectContaining({ code: 'PT_ARGS', key: 'utls' }),
      )
    },
  )
})

describe('profile', () => {
  test.each<Browser>(['chromium', 'firefox', 'node'])('%s is meant exactly so, whatever utls says', (profile) => {
    const found = profileOf({ utls: 'hellofirefox_auto', profile }, 'page')
    expect([found.first.browser, found.second]).toEqual([profile, undefined])
  })

  test('auto leaves it to utls', () => {
    expect(profileOf({ utls: 'none', profile: 'auto' }, 'page').first.browser).toBe('node')
  })

  test.each(['', 'chrome', 'Chromium', '/etc/passwd'])('PT_ARGS: %j is none', (profile) => {
    expect(() => profileOf({ utls: undefined, profile }, 'page')).toThrow(
      expect.objectContaining({ code: 'PT_ARGS', key: 'profile' }),
    )
  })
})

test('a WebSocket of Chromium has another hello than a page', () => {
  const chromium = { utls: undefined, profile: 'chromium' }
  expect(profileOf(chromium, 'websocket').first.profile).toBe('chromium-websocket')
  expect(profileOf(chromium, 'page').first.profile).toBe('chromium-page')
})

test.each<[string, Browser]>([
  ['Firefox', 'firefox'],
  ['Chromium', 'chromium'],
  ['Edge', 'chromium'],
  ['unknown', 'chromium'],
])("a profile of the user's own, of %s, is the only hello, with the habits of %s", (browser, habits) => {
  const profile = { ...profiles.firefox, browser }
  expect(onlyHello(profile)).toEqual({ first: { browser: habits, profile }, second: undefined })
})
