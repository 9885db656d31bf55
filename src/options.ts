/**
 * The options of public functions, checked as they come in: the one place that says what is wrong with them.
 *
 *     openBridge: there is no option timeout; the options are connectTimeout, exec, …
 *     openBridge: the option connectTimeout has to be a number of milliseconds from 1 to 2147480000, and is a string
 *
 * Callers in JavaScript have no compiler that tells them. A message names the option and the kind of its value, and no value
 * but a number: what was given may be a secret at the wrong place.
 */
import { PtError } from './error.ts'

/** Says what is wrong with the value of the option `path`, as the rest of a sentence that begins with its name. */
export type Check = (value: unknown, path: string) => string | undefined

/** A check of an option that may be left out, or be undefined. */
export type OptionalCheck = Check & { readonly optional: true }

/** A check for each option of `T`; the compiler wants one for every option, and `optional` exactly if it may be left out. */
export type Checks<T> = { readonly [K in keyof T]-?: object extends Pick<T, K> ? OptionalCheck : Check }

/** Throws PT_OPTION, with the name of the function that was called, unless `given` is an object with these options. */
export function checkOptions<T extends object>(call: string, given: unknown, checks: Checks<T>): void {
  const wrong = isRecord(given)
    ? wrongOption(given, checks, '')
    : `the options have to be an object, and are ${kindOf(given)}`
  if (wrong !== undefined) throw new PtError('PT_OPTION', `${call}: ${wrong}`)
}

/** The same for one argument, or for a value that is no object of options. */
export function checkArgument(call: string, name: string, value: unknown, check: Check): void {
  const wrong = check(value, name)
  if (wrong !== undefined) throw new PtError('PT_OPTION', `${call}: ${wrong}`)
}

export function optional(check: Check): OptionalCheck {
  const skipsUndefined: Check = (value, path) => (value === undefined ? undefined : check(value, path))
  return Object.assign(skipsUndefined, { optional: true } as const)
}

/** A check that asks `holds`, and otherwise says what was `expected`. */
export function expecting(expected: string, holds: (value: unknown) => boolean): Check {
  return (value, path) => (holds(value) ? undefined : `${path} has to be ${expected}, and is ${kindOf(value)}`)
}

export const aString: Check = expecting('a string', (value) => typeof value === 'string')
export const aBoolean: Check = expecting('true or false', (value) => typeof value === 'boolean')
export const aFunction: Check = expecting('a function', (value) => typeof value === 'function')
export const aSignal: Check = expecting('an AbortSignal', (value) => {
  // That of another realm, such as a page's, is one too.
  return isRecord(value) && typeof value['aborted'] === 'boolean' && typeof value['addEventListener'] === 'function'
})
export const anObject: Check = expecting('an object', isRecord)

/** Close to the longest that a timer of Node can wait; what is longer than that would be over at once. */
const LONGEST = 2_147_480_000

export function milliseconds(least: 0 | 1): Check {
  return wholeOrNot(`a number of milliseconds from ${least} to ${LONGEST}`, least, LONGEST, false)
}

export function wholeNumber(least: number, most: number = Number.MAX_SAFE_INTEGER): Check {
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`
  return wholeOrNot(`a whole number ${range}`, least, most, true)
}

function wholeOrNot(expected: string, least: number, most: number, whole: boolean): Check {
  return expecting(expected, (value) => {
    return typeof value === 'number' && value >= least && value <= most && (!whole || Number.isInteger(value))
  })
}

export function oneOf(...values: readonly string[]): Check {
  return expecting(values.map((value) => `'${value}'`).join(' or '), (value) => values.includes(value as string))
}

export function listOf(check: Check, what: string): Check {
  return (value, path) => {
    if (!Array.isArray(value)) return expecting(`a list of ${what}`, () => false)(value, path)
    for (const [at, one] of value.entries()) {
      const wrong = check(one, `${path}[${at}]`)
      if (wrong !== undefined) return wrong
    }
    return undefined
  }
}

/** The first check that is content; if none is, the value has to be `expected`. */
export function either(expected: string, ...checks: readonly Check[]): Check {
  return expecting(expected, (value) => checks.some((check) => check(value, '') === undefined))
}

/** An object with options of its own. */
export function tableOf<T extends object>(checks: Checks<T>): Check {
  return (value, path) => (isRecord(value) ? wrongOption(value, checks, path) : anObject(value, path))
}

/** An object whose values are all of one kind, under any names. */
export function recordOf(check: Check): Check {
  return (value, path) => {
    if (!isRecord(value)) return anObject(value, path)
    for (const [name, one] of Object.entries(value)) {
      const wrong = check(one, `${path}.${shown(name)}`)
      if (wrong !== undefined) return wrong
    }
    return undefined
  }
}

/** False, or what the check wants, whose own words are kept. */
export function orFalse(check: Check): Check {
  return (value, path) => {
    if (value === false) return undefined
    return isRecord(value) ? check(value, path) : expecting('false, or an object', () => false)(value, path)
  }
}

/** A string, or what the check wants, whose own words are kept. */
export function aTextOr(check: Check): Check {
  return (value, path) => {
    if (typeof value === 'string') return undefined
    return isRecord(value) ? check(value, path) : expecting('a string, or an object', () => false)(value, path)
  }
}

/** The program of a PT, or the program and its arguments. */
export const aCommand: Check = either(
  'the name of a program, or a list of a program and its arguments',
  aString,
  listOf(aString, 'strings'),
)

/** Arguments of a transport: pairs of key and value, as an object, as a list, or as Args. */
export const someArgs: Check = either('an object, or pairs, of keys and values', (value, path) =>
  isRecord(value) || isIterable(value) ? undefined : path,
)

/** An address as text, or its parts. */
export const anAddress: Check = either("'<ip>:<port>', or an object with host and port", aString, (value, path) =>
  isRecord(value) && typeof value['host'] === 'string' && 'port' in value ? undefined : path,
)

function wrongOption(given: Record<string, unknown>, checks: object, path: string): string | undefined {
  const known = Object.entries(checks) as [string, Check | OptionalCheck][]
  const prefix = path === '' ? 'the option ' : `${path}.`
  for (const [name, check] of known) {
    if (given[name] === undefined && !('optional' in check)) return `${prefix}${name} is missing`
    const wrong = check(given[name], `${prefix}${name}`)
    if (wrong !== undefined) return wrong
  }
  const stranger = Object.keys(given).find((name) => !Object.hasOwn(checks, name))
  if (stranger === undefined) return undefined
  const place = path === '' ? '' : `${path.replace(/^the option /, '')}.`
  const names = known.map(([name]) => name).toSorted((a, b) => (a < b ? -1 : 1))
  return `there is no option ${place}${shown(stranger)}; there are ${names.join(', ')}`
}

/** What was meant for a value may stand as a name. */
function shown(name: string): string {
  return /^\w{1,40}$/.test(name) ? name : 'of such a name'
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isIterable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Symbol.iterator in value
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null || typeof value === 'number') return String(value)
  if (value === '') return 'an empty string'
  if (typeof value === 'boolean') return String(value)
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
