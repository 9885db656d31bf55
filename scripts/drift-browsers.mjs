// Part of npm run drift: do Debian's browsers still send what our profiles say? Each is pointed to a listener of ours on the
// loopback interface, and its hellos of first and repeat visits are held against the profile by its rules. That a browser has moved
// on is printed and fails nothing. If a hello of ours breaks the rules of its own profile, the status is 3.
import { differences } from '../dist/tls/hellos/compare.js'
import { describeDifference } from '../dist/tls/hellos/describe.js'
import { readClientHello, hasTicket } from '../dist/tls/hellos/client-hello.js'
import { formOf, hellosNeeded, learnProfile } from '../dist/tls/hellos/learn.js'
import { sampleHello } from '../dist/tls/hellos/sample.js'
import { listenForHellos } from '../dist/cli/hello/listener.js'
import { formatProfile } from '../dist/tls/profiles/file.js'
import { profiles } from '../dist/tls/profiles/built-in.js'
import { suiteOf } from '../dist/tls/suites.js'
import { browsers, browserVersion, withBrowser } from './browsers.mjs'

/** In ms: how long a browser has for all its hellos of one form. */
const PATIENCE = 90_000
/** So many hellos of ours are held against each profile. */
const OURS = 100

/** `names` are the profiles that it may fit: one for each kind of machine. */
const scenes = [
  { program: 'chromium', form: 'page', names: ['chromium-page', 'chromium-page-no-aes'] },
  { program: 'chromium', form: 'websocket', names: ['chromium-websocket', 'chromium-websocket-no-aes'] },
  { program: 'firefox-esr', form: 'page', names: ['firefox'] },
]

/** The hellos that a browser sends of one form, with repeat visits among them. */
async function hellosOf(program, form) {
  const hellos = []
  const best = () => {
    const byForm = Map.groupBy === undefined ? groups(hellos) : Map.groupBy(hellos, formOf)
    return [...byForm.values()].reduce((most, list) => (list.length > most.length ? list : most), [])
  }
  const isEnough = () => {
    const list = best()
    return list.length >= hellosNeeded(list) && list.some(hasTicket) && !list.every(hasTicket)
  }
  let end
  const enough = new Promise((resolve) => (end = resolve))
  const listener = await listenForHellos({
    form,
    port: 0,
    onUserAgent: () => undefined,
    onHello: (hello) => {
      hellos.push(hello)
      if (isEnough()) end()
    },
    status: () => ({ seen: hellos.length, needed: 0, done: isEnough() }),
  })
  const timer = setTimeout(() => end(), PATIENCE)
  try {
    await withBrowser(program, `http://localhost:${listener.port}/`, () => enough)
  } finally {
    clearTimeout(timer)
    await listener[Symbol.asyncDispose]()
  }
  return { hellos: best(), whole: isEnough() }
}

function groups(hellos) {
  const byForm = new Map()
  for (const hello of hellos) byForm.set(formOf(hello), [...(byForm.get(formOf(hello)) ?? []), hello])
  return byForm
}

/** Each field that differs, once, with how many hellos differ in it. */
function compare(hellos, profile) {
  const found = new Map()
  for (const one of hellos.flatMap((hello) => differences(hello, profile))) {
    const [field, expected, there] = describeDifference(one)
    const key = `  ${field}\n    profile  ${expected}\n    browser  ${there}`
    found.set(key, (found.get(key) ?? 0) + 1)
  }
  return [...found].map(([text, count]) => `${text}\n    in       ${count} of ${hellos.length} hellos`)
}

function print(program, form, version, { hellos, whole }, names) {
  const lists = names.map((name) => [profiles[name], compare(hellos, profiles[name])])
  const [profile, list] = lists.reduce((best, one) => (one[1].length < best[1].length ? one : best))
  const first = hellos.filter((hello) => !hasTicket(hello)).length
  const visits = `${first} first and ${hellos.length - first} repeat visits`
  console.log(`${program} ${version}, ${form}: ${visits}${whole ? '' : ', which are too few'}`)
  if (hellos.length === 0) return
  if (list.length === 0) return console.log(`  it sends what ${profile.name} of ${profile.version} says`)
  console.log(`  it sends another thing than ${profile.name} of ${profile.version} says`)
  for (const text of list) console.log(text)
  const about = { browser: program, version, platform: process.platform, source: `Debian's package; ${form}` }
  const date = new Date().toISOString().slice(0, 10)
  console.log(newProfile(hellos, { ...about, name: `${program}-${parseInt(version)}-${form}`, date }))
}

function newProfile(hellos, about) {
  try {
    return `  the new profile:\n${formatProfile(learnProfile(hellos, about).profile)}`
  } catch (error) {
    return `  ${error.message}`
  }
}

/** The fields in which a hello of ours breaks the rules of its own profile. */
async function ownFaults() {
  const ticket = {
    suite: suiteOf(0x1301),
    psk: Buffer.alloc(32, 1),
    bytes: Buffer.alloc(240, 2),
    ageAdd: 7,
    received: Date.now(),
    lifetime: 1000,
    certificates: [],
  }
  const faults = []
  for (const profile of Object.values(profiles)) {
    for (let n = 0; n < OURS; n++) {
      const hello = readClientHello(await sampleHello(profile, n % 2 === 0 ? undefined : ticket))
      faults.push(...differences(hello, profile).map(({ field }) => `${profile.name}: ${field}`))
    }
  }
  return new Set(faults)
}

for (const program of Object.keys(browsers)) {
  const version = browserVersion(program)
  if (version === undefined) {
    console.log(`${program}: is not here (Debian package ${program})`)
    continue
  }
  for (const { form, names } of scenes.filter((scene) => scene.program === program)) {
    try {
      print(program, form, version, await hellosOf(program, form), names)
    } catch (error) {
      console.log(`${program} ${version}, a ${form}: ${error.message}`)
    }
  }
}
const faults = await ownFaults()
for (const fault of faults) console.error(`our own hello breaks its profile: ${fault}`)
if (faults.size > 0) process.exitCode = 3
else console.log(`${OURS} hellos of each of our profiles keep its rules`)
