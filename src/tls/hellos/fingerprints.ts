/**
 * JA3 and JA4 of a hello, by which observers and blocklists name programs.
 *
 *     JA3  md5 of version,suites,extensions,groups,formats in decimal, in the order of the wire
 *     JA4  t13d1516h1_<12 digits>_<12 digits>: version, name or not, how many suites and extensions, ALPN; then sorted
 *          suites, and sorted extensions with the signature algorithms
 */
import { createHash } from 'node:crypto'
import { isGrease } from '../grease.ts'
import { extensionTypes } from '../messages/extensions.ts'
import type { CapturedHello } from './client-hello.ts'
import { dataOf } from './client-hello.ts'
import { contentsOf } from './contents.ts'
import { codeOf } from './names.ts'

const types = extensionTypes
const EC_POINT_FORMATS = 0x000b
/** JA4 counts to 99 at most. */
const MOST = 99

/** What JA3 is the hash of. */
export function ja3Text(hello: CapturedHello): string {
  const formats = [...(dataOf(hello, EC_POINT_FORMATS)?.subarray(1) ?? [])]
  const fields = [hello.suites, hello.extensions.map(({ type }) => type), numbersOf(hello, types.supportedGroups)]
  return [[hello.version], ...fields.map(meaningful), formats].map((list) => list.join('-')).join(',')
}

export function ja3(hello: CapturedHello): string {
  return createHash('md5').update(ja3Text(hello)).digest('hex')
}

/** JA4 of a hello over TCP. */
export function ja4(hello: CapturedHello): string {
  const suites = meaningful(hello.suites).map(codeOf)
  const extensions = meaningful(hello.extensions.map(({ type }) => type))
  const named = extensions.filter((type) => type !== types.serverName && type !== types.alpn).map(codeOf)
  const schemes = meaningful(numbersOf(hello, types.signatureAlgorithms)).map(codeOf)
  const head = `t${versionOf(hello)}${extensions.includes(types.serverName) ? 'd' : 'i'}${count(suites)}${count(extensions)}`
  const all = named.toSorted().join(',') + (schemes.length === 0 ? '' : `_${schemes.join(',')}`)
  return `${head}${protocolOf(hello)}_${digest(suites.toSorted().join(','))}_${digest(all)}`
}

function versionOf(hello: CapturedHello): string {
  const version = Math.max(...meaningful(numbersOf(hello, types.supportedVersions)), 0) || hello.version
  return version >= 0x0301 && version <= 0x0304 ? `1${version - 0x0301}` : '00'
}

/** The first and the last character of the first protocol; of its hex if one of them is no letter or digit. */
function protocolOf(hello: CapturedHello): string {
  const data = dataOf(hello, types.alpn)
  const contents = data && contentsOf(types.alpn, data)
  const [first] = contents?.is === 'protocols' ? contents.protocols : []
  if (first === undefined) return '00'
  const ends = (text: string): string => `${text.at(0)}${text.at(-1)}`
  return /^[\da-z]+$/i.test(ends(first)) ? ends(first) : ends(Buffer.from(first, 'latin1').toString('hex'))
}

function numbersOf(hello: CapturedHello, type: number): readonly number[] {
  const data = dataOf(hello, type)
  const contents = data && contentsOf(type, data)
  return contents?.is === 'numbers' ? contents.numbers : []
}

function meaningful(values: readonly number[]): number[] {
  return values.filter((value) => !isGrease(value))
}

function count(list: readonly unknown[]): string {
  return String(Math.min(list.length, MOST)).padStart(2, '0')
}

function digest(text: string): string {
  return text === '' ? '0'.repeat(12) : createHash('sha256').update(text).digest('hex').slice(0, 12)
}
