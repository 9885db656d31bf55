/**
 * The kinds of values that options of a tunnel have. A kind reads a value from a flag, whose words are all text, and from a file,
 * in which TOML has types already; both give the same value, checked. What is wrong is a Mistake.
 *
 *     --listen 127.0.0.1:9000            listen = "127.0.0.1:9000"            { host: '127.0.0.1', port: 9000 }
 *     --allow '*:80' --allow '*:443'     allow = ["*:80", "*:443"]            ['*:80', '*:443']
 *     --drain-timeout 5                  drain-timeout = 5                    5000
 */
import { Mistake, readPart } from './mistake.ts'

/** What parseArgs of node:util gives for a flag. */
export type Flag = string | boolean | readonly string[]

export interface Kind<T> {
  /** What stands after the flag. `none`: the flag alone is the value. `many`: the flag may be given several times. */
  readonly words: 'none' | 'one' | 'many'
  /** What stands after the equals sign in a file, in words. */
  readonly toml: string
  fromFlag(given: Flag): T
  /** `folder` is the one of the file that is read: paths are relative to it. */
  fromToml(given: unknown, folder: string): T
}

/** A text that `parse` reads; what it throws says why the text is wrong. */
export function text<T>(parse: (text: string) => T, toml = 'string'): Kind<T> {
  return {
    words: 'one',
    toml,
    fromFlag: (given) => readPart(undefined, () => parse(given as string)),
    fromToml: (given) => readPart(undefined, () => parse(aString(given))),
  }
}

/** The path of a file or a folder. `read` gives what the option stands for, such as what the file holds. */
export function path<T>(read: (path: string, folder: string) => T): Kind<T> {
  return {
    words: 'one',
    toml: 'string',
    fromFlag: (given) => readPart(undefined, () => read(given as string, '.')),
    fromToml: (given, folder) => readPart(undefined, () => read(aString(given), folder)),
  }
}

/** True or false; as a flag, it is there or not. */
export const yes: Kind<boolean> = {
  words: 'none',
  toml: 'boolean',
  fromFlag: (given) => given === true,
  fromToml: (given) => {
    if (typeof given !== 'boolean') throw new Mistake('expected a boolean')
    return given
  },
}

/** One of `values`. As a flag there is only the last one, which is the name of the flag: `--race`. */
export function choice<T extends string>(values: readonly T[]): Kind<T> {
  const quoted = values.map((value) => `"${value}"`).join(' or ')
  return {
    words: 'none',
    toml: quoted,
    fromFlag: () => values.at(-1)!,
    fromToml: (given) => {
      const found = values.find((value) => value === given)
      if (found === undefined) throw new Mistake(`expected ${quoted}`)
      return found
    },
  }
}

export function wholeNumber(min: number, max: number, unit = 1): Kind<number> {
  const within = (value: number): number => {
    if (Number.isInteger(value) && value >= min && value <= max) return value * unit
    throw new Mistake(`expected a whole number from ${min} to ${max}`)
  }
  return {
    words: 'one',
    toml: 'number',
    fromFlag: (given) => within(/^\d{1,9}$/.test(given as string) ? Number(given) : Number.NaN),
    fromToml: (given) => {
      if (typeof given !== 'number') throw new Mistake('expected a number')
      return within(given)
    },
  }
}

/** Seconds in what people write, milliseconds in what it gives. */
export function seconds(min: number, max: number): Kind<number> {
  return wholeNumber(min, max, 1_000)
}

/** A list of texts; `parse` reads one. A text alone is a list of one, if `orOne` says so. */
export function list<T>(
  parse: (text: string) => T,
  { orOne = false }: { readonly orOne?: boolean } = {},
): Kind<readonly T[]> {
  const each = (texts: readonly unknown[]): T[] =>
    texts.map((one, at) => readPart({ item: at + 1 }, () => parse(aString(one))))
  return {
    words: 'many',
    toml: orOne ? 'string, or list of strings' : 'list of strings',
    fromFlag: (given) => (given as readonly string[]).map((one) => readPart(undefined, () => parse(one))),
    fromToml: (given) => {
      if (Array.isArray(given)) return each(given)
      if (!orOne) throw new Mistake('expected a list')
      if (typeof given !== 'string') throw new Mistake('expected a name, or a list of names')
      return [readPart(undefined, () => parse(given))]
    },
  }
}

/** The same kind, whose value `then` turns into another one. */
export function mapped<A, B>(kind: Kind<A>, then: (value: A) => B): Kind<B> {
  return {
    ...kind,
    fromFlag: (given) => readPart(undefined, () => then(kind.fromFlag(given))),
    fromToml: (given, folder) => readPart(undefined, () => then(kind.fromToml(given, folder))),
  }
}

/** A program and its arguments: one text that is split, or a list in a file. */
export function command(
  split: (text: string) => string[],
  check: (command: readonly string[]) => void,
): Kind<readonly string[]> {
  const checked = (words: readonly string[]): readonly string[] => {
    readPart(undefined, () => check(words))
    return words
  }
  return {
    words: 'one',
    toml: 'string, or list of strings',
    fromFlag: (given) => checked(split(given as string)),
    fromToml: (given) => {
      if (typeof given === 'string') return checked(split(given))
      if (Array.isArray(given) && given.every((word) => typeof word === 'string')) return checked(given)
      throw new Mistake('expected a string, or a list of strings')
    },
  }
}

/** Texts by key: KEY=VALUE, several times, or a table. */
export function pairs(
  parse: (text: string) => readonly [key: string, value: string],
): Kind<Readonly<Record<string, string>>> {
  return {
    words: 'many',
    toml: 'table of strings',
    fromFlag: (given) =>
      Object.fromEntries((given as readonly string[]).map((one, at) => readPart({ item: at + 1 }, () => parse(one)))),
    fromToml: (given) => {
      const entries = Object.entries(aTable(given))
      return Object.fromEntries(entries.map(([key, value]) => [key, readPart({ key }, () => aString(value))]))
    },
  }
}

function aString(given: unknown): string {
  if (typeof given !== 'string') throw new Mistake('expected a string')
  return given
}

export function aTable(given: unknown): Readonly<Record<string, unknown>> {
  if (isTable(given)) return given
  throw new Mistake('expected a table')
}

/** TOML has dates, which are objects too. */
export function isTable(given: unknown): given is Readonly<Record<string, unknown>> {
  return typeof given === 'object' && given !== null && !Array.isArray(given) && !(given instanceof Date)
}
