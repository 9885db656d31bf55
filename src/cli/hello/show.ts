/** `postern hello show`: a profile or a captured hello, in words. */
import type { CapturedHello } from '../../tls/hellos/client-hello.ts'
import { readClientHello } from '../../tls/hellos/client-hello.ts'
import type { Difference } from '../../tls/hellos/compare.ts'
import { differences, profileDifferences } from '../../tls/hellos/compare.ts'
import type { Row } from '../../tls/hellos/describe.ts'
import { describeDifference, describeHello, describeProfile } from '../../tls/hellos/describe.ts'
import { ja3, ja3Text, ja4 } from '../../tls/hellos/fingerprints.ts'
import { nearestProfile, nearestToProfile } from '../../tls/hellos/nearest.ts'
import { sampleHello } from '../../tls/hellos/sample.ts'
import { parseProfile, readWhole } from '../../tls/profiles/file.ts'
import type { Profile } from '../../tls/profiles/profile.ts'
import { printable } from '../printable.ts'

/** In bytes; a hello in hex takes 5 KiB. */
const MOST = 131_072
const WIDTH = 120

/** The text for a file. Throws PT_PROFILE if it is neither. */
export async function show(file: string): Promise<string> {
  const bytes = await readWhole(file, MOST)
  const text = bytes.toString('latin1').trim()
  if (text.startsWith('{')) return await showProfile(parseProfile(bytes.toString('utf8')))
  return showHello(readClientHello(bytesOf(text) ?? bytes))
}

/** The bytes that a text of hex digits stands for, as captures and dumps have them; undefined if it is another text. */
function bytesOf(text: string): Buffer | undefined {
  const digits = text.replace(/[\s:]+/g, '')
  return digits !== '' && /^(?:[\da-f]{2})+$/i.test(digits) ? Buffer.from(digits, 'hex') : undefined
}

function showHello(hello: CapturedHello): string {
  const nearest = nearestProfile(hello)
  return [
    `a ClientHello of ${hello.length} bytes\n\n`,
    ...rows([...fingerprints(hello), ...describeHello(hello)]),
    ...compared(nearest, differences(hello, nearest)),
  ].join('')
}

async function showProfile(profile: Profile): Promise<string> {
  const { name, browser, version, platform, date, source, permuted } = profile
  const nearest = nearestToProfile(profile)
  const sample = readClientHello(await sampleHello(profile))
  const [one, two, four] = fingerprints(sample)
  const changing = ['JA3', 'another one for each connection, as the order of extensions is drawn'] as const
  const about: Row[] = [
    ['browser', `${browser} ${version}`],
    ['platform', platform],
    ['seen', `${date}: ${source}`],
    ...(permuted ? [changing] : [one!, two!]),
    four!,
  ]
  return [
    `the profile ${name}\n\n`,
    ...rows([...about, ...describeProfile(profile)]),
    ...compared(nearest, profileDifferences(nearest, profile)),
  ].join('')
}

function fingerprints(hello: CapturedHello): Row[] {
  return [
    ['JA3', ja3(hello)],
    ['JA3, in full', ja3Text(hello)],
    ['JA4', ja4(hello)],
  ]
}

function compared({ name, browser, version }: Profile, list: readonly Difference[]): string[] {
  const nearest = `The nearest profile of this program is ${name}, of ${browser} ${version}.`
  if (list.length === 0) return ['\n', `${nearest} There is no difference.\n`]
  const lines = list.flatMap((one) => {
    const [field, expected, found] = describeDifference(one)
    return [`  ${field}\n`, ...wrapped(`there  ${expected}`, 4, 11), ...wrapped(`here   ${found}`, 4, 11)]
  })
  return ['\n', `${nearest} It differs in:\n`, ...lines]
}

function rows(list: readonly Row[]): string[] {
  const column = Math.max(...list.map(([field]) => field.length)) + 2
  return list.flatMap(([field, says]) => wrapped(`${field.padEnd(column)}${says}`, 0, column))
}

/** Lines of at most `WIDTH` characters, broken at spaces and, in JA3, at hyphens. */
function wrapped(text: string, margin: number, hanging: number): string[] {
  const lines: string[] = []
  let line = ' '.repeat(margin)
  for (const word of printable(text).match(/\s*[^\s-]*-?/g) ?? []) {
    if (line.length + word.length > WIDTH && line.trim() !== '') {
      lines.push(line)
      line = ' '.repeat(hanging) + word.trimStart()
    } else line += word
  }
  return [...lines, line].map((one) => `${one.trimEnd()}\n`)
}
