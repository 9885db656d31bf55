/** A reader of ClientHellos for tests, written apart from the one that makes them. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../support.ts'

export interface Hello {
  readonly version: number
  readonly random: string
  readonly sessionId: string
  readonly suites: readonly number[]
  readonly compression: string
  readonly extensions: readonly { readonly type: number; readonly data: Buffer }[]
}

/** A captured hello as it left the browser, with the header of its record. */
export function captured(name: string): Buffer {
  const text = readFileSync(join(root, `test/vectors/client-hello/${name}.hex`), 'latin1')
  return Buffer.from(text.replaceAll('\n', ''), 'hex')
}

/** The hello of a handshake message. */
export function parseHello(message: Buffer): Hello {
  let at = 4
  const take = (length: number): Buffer => message.subarray(at, (at += length))
  const number = (length: number): number => take(length).readUIntBE(0, length)
  const version = number(2)
  const random = take(32).toString('hex')
  const sessionId = take(number(1)).toString('hex')
  const suites = numbers(take(number(2)))
  const compression = take(number(1)).toString('hex')
  const end = number(2) + at
  const extensions: { type: number; data: Buffer }[] = []
  for (let left = end - at; left > 0; left = end - at) extensions.push({ type: number(2), data: take(number(2)) })
  if (at !== message.length) throw new Error('bytes after the hello')
  return { version, random, sessionId, suites, compression, extensions }
}

export function numbers(bytes: Buffer): number[] {
  return Array.from({ length: bytes.length / 2 }, (_, at) => bytes.readUInt16BE(2 * at))
}

export function isGrease(value: number): boolean {
  return (value & 0x0f0f) === 0x0a0a && value >> 8 === (value & 0xff)
}

export function extensionData(hello: Hello, type: number): Buffer | undefined {
  return hello.extensions.find((one) => one.type === type)?.data
}

const name = (value: number): string => (isGrease(value) ? 'grease' : value.toString(16).padStart(4, '0'))
const listOf = (data: Buffer, lengthBytes: number): string => numbers(data.subarray(lengthBytes)).map(name).join(' ')

/** The shares of key_share: group and key. */
export function sharesOf(hello: Hello): { readonly group: number; readonly key: Buffer }[] {
  const data = extensionData(hello, 0x33)!
  const shares: { group: number; key: Buffer }[] = []
  for (let at = 2; at < data.length;) {
    const length = data.readUInt16BE(at + 2)
    shares.push({ group: data.readUInt16BE(at), key: data.subarray(at + 4, at + 4 + length) })
    at += 4 + length
  }
  return shares
}

export interface Ech {
  readonly aead: number
  readonly keyLength: number
  readonly payloadLength: number
  readonly head: string
}

export function echOf(hello: Hello): Ech {
  const data = extensionData(hello, 0xfe0d)!
  const keyLength = data.readUInt16BE(6)
  const payloadLength = data.readUInt16BE(8 + keyLength)
  if (data.length !== 10 + keyLength + payloadLength) throw new Error('a malformed ECH')
  return { aead: data.readUInt16BE(3), keyLength, payloadLength, head: data.subarray(0, 3).toString('hex') }
}

/** What one extension says, without what is random. */
function shapeOf(hello: Hello, { type, data }: Hello['extensions'][number]): string {
  if (isGrease(type)) return `grease ${data.toString('hex')}`
  if (type === 0x0a || type === 0x0d) return `${name(type)} ${listOf(data, 2)}`
  if (type === 0x2b) return `${name(type)} ${listOf(data, 1)}`
  if (type === 0x33)
    return `0033 ${sharesOf(hello)
      .map(({ group, key }) => `${name(group)}:${key.length}`)
      .join(' ')}`
  if (type === 0xfe0d) return `fe0d ${echOf(hello).head} ${echOf(hello).keyLength}`
  if (type === 0x29) return `0029 ${data.length} ${data.readUInt16BE(0)} ${data.readUInt16BE(2)}`
  return `${name(type)} ${data.toString('hex')}`
}

/** All that a profile fixes: everything but the random, keys, tickets, GREASE's values and the length of ECH's payload. */
export function shape(message: Buffer): { readonly head: string; readonly extensions: readonly string[] } {
  const hello = parseHello(message)
  const { version, sessionId, suites, compression } = hello
  return {
    head: `${name(version)} ${sessionId.length / 2} ${compression} ${suites.map(name).join(' ')}`,
    extensions: hello.extensions.map((one) => shapeOf(hello, one)),
  }
}

/** JA4 of a hello over TCP (FoxIO's JA4, without its raw forms). */
export function ja4(message: Buffer): string {
  const { suites, extensions } = parseHello(message)
  const own = (values: readonly number[]): string[] => values.filter((value) => !isGrease(value)).map(name)
  const types = own(extensions.map(({ type }) => type))
  const alpn = extensions.find(({ type }) => type === 0x10)?.data
  const first = alpn?.subarray(3, 3 + alpn[2]!).toString('latin1') ?? '00'
  const schemes = own(numbers(extensions.find(({ type }) => type === 0x0d)!.data.subarray(2)))
  const sorted = types.filter((type) => type !== '0000' && type !== '0010').toSorted()
  const count = (list: readonly string[]): string => String(list.length).padStart(2, '0')
  const head = `t13${types.includes('0000') ? 'd' : 'i'}${count(own(suites))}${count(types)}${first[0]}${first.at(-1)}`
  return `${head}_${digest(own(suites).toSorted().join(','))}_${digest(`${sorted.join(',')}_${schemes.join(',')}`)}`
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}
