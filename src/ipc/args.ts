/**
 * k=v arguments: an ordered multimap, and its three escapings on the wire. Sections "Per-Connection Arguments",
 * "Server Environment Variables" (options) and "Server Messages" (ARGS).
 *
 *     client   shared-secret=rahasia;secrets-file=/tmp/blob                 \  =  ;   escaped in key and value
 *     options  scramblesuit:key=banana;automata:rule=110;automata:depth=3   \  :  ;   escaped, and = in keys
 *     ARGS     cert=abc,iat-mode=0                                          \  =  ,   escaped in key and value
 *
 * Readers take a backslash before any character as that character, so every peer's choice of what to escape reads alike.
 */
import { PtError } from '../error.ts'

type Pair = readonly [key: string, value: string]

/** What `Args.from` takes: pairs in order, or an object whose values may be lists. */
export type ArgsInit = Iterable<Pair> | Readonly<Record<string, string | readonly string[]>>

/**
 * What is to be said of one argument, in words that repeat no value: the message is the rest of a sentence about it that begins
 * with "it". Nothing can come of an `error`; a `warning` is no obstacle.
 */
export interface ArgumentFinding {
  readonly severity: 'error' | 'warning'
  readonly key: string
  readonly message: string
}

const phrases: Readonly<Record<string, string>> = { 'it is missing': 'missing', 'it is not supported': 'unsupported' }

/** A finding as one sentence: `missing argument 'cert'`, `malformed argument 'cert': it has …`. */
export function formatFinding({ key, message }: Pick<ArgumentFinding, 'key' | 'message'>): string {
  const phrase = phrases[message]
  return phrase === undefined ? `malformed argument '${key}': ${message}` : `${phrase} argument '${key}'`
}

/** An immutable, ordered multimap of k=v arguments. Duplicates are kept, in the order in which they came. */
export class Args implements Iterable<Pair> {
  static readonly none: Args = new Args([])
  readonly #pairs: readonly Pair[]

  private constructor(pairs: readonly Pair[]) {
    this.#pairs = pairs
  }

  static from(init: ArgsInit): Args {
    if (init instanceof Args) return init
    if (Symbol.iterator in init) return new Args([...(init as Iterable<Pair>)].map(([key, value]) => [key, value]))
    const entries = Object.entries(init as Record<string, string | readonly string[]>)
    return new Args(entries.flatMap(([key, value]) => [value].flat().map((one): Pair => [key, one])))
  }

  /** The number of pairs. */
  get size(): number {
    return this.#pairs.length
  }

  /** The first value of `key`, as goptlib's `Args.Get` gives it. */
  get(key: string): string | undefined {
    return this.#pairs.find((pair) => pair[0] === key)?.[1]
  }

  /** All values of `key`, in order. */
  getAll(key: string): string[] {
    return this.#pairs.filter((pair) => pair[0] === key).map((pair) => pair[1])
  }

  has(key: string): boolean {
    return this.get(key) !== undefined
  }

  [Symbol.iterator](): IterableIterator<Pair> {
    return this.#pairs[Symbol.iterator]()
  }

  toJSON(): Pair[] {
    return [...this.#pairs]
  }
}

/** Reads the arguments of a SOCKS request (ARGS-1, ARGS-2). The empty string holds no arguments. Throws PT_ARGS. */
export function parseClientArgs(text: string): Args {
  const reader = new Reader(text, 'client arguments')
  return Args.from(text === '' ? [] : reader.list(';', () => reader.pair(';')))
}

/** The bytes of arguments that a SOCKS 5 request can carry: UNAME and PASSWD with 255 each. */
export const CLIENT_ARGS_LIMIT = 510

/**
 * Writes the arguments of a SOCKS request; `\`, `=` and `;` are escaped in keys and values (ARGS-2). If that makes more than `limit` bytes, `=` in values
 * stays as it is, as tor always writes it: a list that tor can carry fits here too. Throws PT_ARGS for an empty key.
 */
export function formatClientArgs(args: ArgsInit, limit: number = Number.POSITIVE_INFINITY): string {
  const list = Args.from(args)
  const text = joinPairs(list, ';', /[\\=;]/g)
  return new TextEncoder().encode(text).length <= limit ? text : joinPairs(list, ';', /[\\=;]/g, /[\\;]/g)
}

/** Reads the ARGS option of SMETHOD, without its `ARGS:` (SM-3). A bare `=` in a value is an error (SM-4). Throws PT_ARGS. */
export function parseSmethodArgs(text: string): Args {
  const reader = new Reader(text, 'SMETHOD ARGS')
  return Args.from(text === '' ? [] : reader.list(',', () => reader.pair(',', '=')))
}

/** Writes the ARGS option of SMETHOD. What no line can carry (spaces, control characters, non-ASCII) throws PT_ARGS and is never dropped. */
export function formatSmethodArgs(args: ArgsInit): string {
  const text = joinPairs(args, ',', /[\\=,]/g)
  if (!/^[\x21-\x7e]*$/.test(text))
    throw new PtError('PT_ARGS', 'SMETHOD ARGS can hold printable ASCII without spaces only')
  return text
}

/** Reads TOR_PT_SERVER_TRANSPORT_OPTIONS: for each transport its options, in order (SENV-3). Throws PT_ARGS. */
export function parseTransportOptions(text: string): Map<string, Args> {
  const reader = new Reader(text, 'transport options')
  const items = text === '' ? [] : reader.list(';', () => [reader.word(':', ';'), reader.pair(';')] as const)
  const pairs = new Map<string, Pair[]>()
  for (const [name, pair] of items) {
    const list = pairs.get(name)
    if (list === undefined) pairs.set(name, [pair])
    else list.push(pair)
  }
  return new Map([...pairs].map(([name, list]) => [name, Args.from(list)]))
}

/** Writes TOR_PT_SERVER_TRANSPORT_OPTIONS (SENV-4): `:`, `;` and `\` escaped everywhere, and `=` in keys, as it could not be read back from there. */
export function formatTransportOptions(options: Iterable<readonly [name: string, args: ArgsInit]>): string {
  const items: string[] = []
  for (const [name, args] of options) {
    for (const [key, value] of Args.from(args)) {
      if (name === '') throw new PtError('PT_ARGS', 'options are given for an empty transport name')
      requirePair(key, value)
      items.push(`${escape(name, /[\\:;=]/g)}:${escape(key, /[\\:;=]/g)}=${escape(value, /[\\:;]/g)}`)
    }
  }
  return items.join(';')
}

function joinPairs(args: ArgsInit, separator: string, special: RegExp, inValues: RegExp = special): string {
  const items = [...Args.from(args)].map(([key, value]) => {
    requirePair(key, value)
    return `${escape(key, special)}=${escape(value, inValues)}`
  })
  return items.join(separator)
}

/** Throws PT_ARGS for half a surrogate pair: it has no UTF-8, and would arrive as another character. */
function requirePair(key: string, value: string): void {
  if (key === '') throw new PtError('PT_ARGS', 'an argument has an empty key')
  if (/\p{Surrogate}/u.test(`${key}\n${value}`)) throw new PtError('PT_ARGS', 'an argument is not well-formed text')
}

function escape(text: string, special: RegExp): string {
  return text.replace(special, (character) => `\\${character}`)
}

/** Walks over an escaped list. Errors say where and what is wrong, and repeat no value: a value may be a secret. */
class Reader {
  readonly #text: string
  readonly #what: string
  #at = 0

  constructor(text: string, what: string) {
    this.#text = text
    this.#what = what
  }

  list<T>(separator: string, item: () => T): T[] {
    const items = [item()]
    while (this.#at < this.#text.length) {
      this.#expect(separator)
      items.push(item())
    }
    return items
  }

  pair(separator: string, forbidden = ''): Pair {
    const key = this.word('=', separator)
    return [key, this.#until(separator, forbidden)]
  }

  /** Reads a non-empty word and the `end` that follows it; a `separator` before that `end` is an error. */
  word(end: string, separator: string): string {
    const word = this.#until(end, separator)
    this.#expect(end)
    if (word === '') throw this.#bad(`empty ${end === ':' ? 'transport name' : 'key'}`)
    return word
  }

  #until(end: string, forbidden: string): string {
    let word = ''
    let from = this.#at
    for (; this.#at < this.#text.length; this.#at++) {
      const character = this.#text.charAt(this.#at)
      if (character === end) break
      if (character === forbidden) throw this.#bad(`unexpected ${JSON.stringify(character)}`)
      if (character !== '\\') continue
      word += this.#text.slice(from, this.#at)
      if (++this.#at === this.#text.length) throw this.#bad('nothing after the last backslash')
      from = this.#at
    }
    return word + this.#text.slice(from, this.#at)
  }

  #expect(character: string): void {
    if (this.#text.charAt(this.#at) !== character) throw this.#bad(`expected ${JSON.stringify(character)}`)
    this.#at++
  }

  #bad(why: string): PtError {
    const where = this.#at < this.#text.length ? `at character ${this.#at + 1}` : 'at the end'
    return new PtError('PT_ARGS', `malformed ${this.#what}: ${why} ${where}`)
  }
}
