/** Hellos and profiles in words: one row for each field, and where they differ from the nearest profile of this package. */
import type { Profile } from '../profiles/profile.ts'
import type { CapturedHello } from './client-hello.ts'
import type { Difference } from './compare.ts'
import { echOf, nameLengthOf, pskLengthOf, rulesOf } from './compare.ts'
import type { Fields } from './fields.ts'
import { fieldsOf } from './fields.ts'
import type { NamedField } from './names.ts'
import { codeOf, namesOf } from './names.ts'

/** A field and what it says, in words. */
export type Row = readonly [field: string, says: string]

/** The rows of a hello. Names of hosts, tickets and keys are given by their length. */
export function describeHello(hello: CapturedHello): Row[] {
  const ech = echOf(hello)
  const psk = pskLengthOf(hello)
  return [
    ...rowsOf(fieldsOf(hello, false)),
    ...(ech === undefined
      ? []
      : ([
          ['AEAD of ECH', spelledOut('encrypted_client_hello', codeOf(ech.aead))],
          ['payload of ECH', `${ech.payloadLength} bytes`],
        ] as const)),
    ['name of the host', nameLengthOf(hello) === 0 ? 'none' : `${nameLengthOf(hello)} letters, not shown`],
    ['visit', psk === 0 ? 'the first one' : `a repeat one, with a ticket; pre_shared_key has ${psk} bytes`],
  ]
}

/** The rows of a profile. */
export function describeProfile(profile: Profile): Row[] {
  return rowsOf(rulesOf(profile))
}

function rowsOf(fields: Fields): Row[] {
  return [...fields].map(([field, value]) => [field, wordsFor(field, value)])
}

/** A difference in words: what is expected, and what is there. */
export function describeDifference({ field, expected, found }: Difference): readonly [string, string, string] {
  const say = (value: string | undefined): string => (value === undefined ? 'not there' : wordsFor(field, value))
  return [field, say(expected), say(found)]
}

function wordsFor(field: string, value: string): string {
  return value === '' ? 'empty' : spelledOut(field, value)
}

/** `1301 1302` as `1301 AES_128_GCM_SHA256, 1302 …`, for the fields whose numbers have names. */
function spelledOut(field: string, value: string): string {
  if (field === 'AEAD of ECH') return named('encrypted_client_hello', value.split(' or ')).join(' or ')
  if (/^[\da-f]{41,}$/.test(value)) return `${value.length / 2} bytes, ${value.slice(0, 32)}…`
  if (!isListed(field)) return value
  if (field === 'encrypted_client_hello' && value.includes(' ')) return value
  return named(field, value.split(' ')).join(', ')
}

function named(field: NamedField, values: readonly string[]): string[] {
  return values.map((value) => {
    const [code = '', length] = value.split(':')
    const name = namesOf[field][code]
    return [code, ...(name === undefined ? [] : [name]), ...(length === undefined ? [] : [`of ${length} bytes`])].join(
      ' ',
    )
  })
}

function isListed(field: string): field is NamedField {
  return Object.hasOwn(namesOf, field)
}
