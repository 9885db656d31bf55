/** A hello held against a profile: every field in which it differs, and what varies held against the rule by which it may. */
import { isGrease } from '../grease.ts'
import { extensionTypes } from '../messages/extensions.ts'
import { echPayloadLength } from '../profiles/ech.ts'
import type { EchPayload, Profile } from '../profiles/profile.ts'
import { extensionOf } from '../profiles/profile.ts'
import type { CapturedHello } from './client-hello.ts'
import { dataOf, hasTicket } from './client-hello.ts'
import type { CapturedEch, CapturedShare } from './contents.ts'
import { contentsOf } from './contents.ts'
import type { Fields, Visit } from './fields.ts'
import { fieldsOf, fieldsOfProfile } from './fields.ts'
import { codeOf } from './names.ts'

const X25519 = 0x001d
const X25519_ML_KEM_768 = 0x11ec
const ML_KEM_KEY = 1184

/** One field: what the profile says, and what is there instead. Undefined: the field is not there. */
export interface Difference {
  readonly field: string
  readonly expected: string | undefined
  readonly found: string | undefined
}

/** In which fields a hello breaks the rules of a profile. It is empty for a hello that the browser of the profile could have sent. */
export function differences(hello: CapturedHello, profile: Profile): Difference[] {
  const visit: Visit = { named: dataOf(hello, extensionTypes.serverName) !== undefined, hasTicket: hasTicket(hello) }
  return [
    ...fieldDifferences(fieldsOfProfile(profile, visit), fieldsOf(hello, profile.permuted)),
    ...echDifferences(hello, profile),
    ...keyDifferences(hello, profile),
    ...greaseDifferences(hello),
  ]
}

/** In which fields one profile says another thing than another one. */
export function profileDifferences(expected: Profile, found: Profile): Difference[] {
  return fieldDifferences(rulesOf(expected), rulesOf(found))
}

/** What a profile says of a first visit, and by which rules the rest varies. */
export function rulesOf(profile: Profile): Fields {
  const ech = extensionOf(profile, 'ech_grease')
  const again = extensionOf(profile, 'session_ticket')?.besidePsk
  return new Map([
    ...fieldsOfProfile(profile, { named: true, hasTicket: false }),
    ['AEAD of ECH', ech?.aeads.join(' or ') ?? 'none'],
    ['payload of ECH', ech === undefined ? 'none' : payloadRule(ech.payload)],
    ['keys of X25519', keyRule(extensionOf(profile, 'key_share')?.sameX25519 ?? false)],
    ['session_ticket on a repeat visit', again === true ? 'sent too' : 'not sent'],
  ])
}

function keyRule(isSame: boolean): string {
  return isSame ? 'one for both shares' : 'one each'
}

/** How long the payload of ECH is, in words. */
function payloadRule(payload: EchPayload): string {
  if ('oneOf' in payload) return `${payload.oneOf.join(', ')} bytes`
  return `as for a hello of ${payload.base} bytes and a name of ${payload.leastName} or more`
}

function fieldDifferences(expected: Fields, found: Fields): Difference[] {
  const names = new Set([...expected.keys(), ...found.keys()])
  return [...names]
    .map((field) => ({ field, expected: expected.get(field), found: found.get(field) }))
    .filter((one) => one.expected !== one.found)
}

/** The ECH of a hello, if it has one. */
export function echOf(hello: CapturedHello): CapturedEch | undefined {
  const data = dataOf(hello, extensionTypes.encryptedClientHello)
  const contents = data && contentsOf(extensionTypes.encryptedClientHello, data)
  return contents?.is === 'ech' ? contents.ech : undefined
}

/** The shares of a hello; none if it has no key_share. */
function sharesOf(hello: CapturedHello): readonly CapturedShare[] {
  const data = dataOf(hello, extensionTypes.keyShare)
  const contents = data && contentsOf(extensionTypes.keyShare, data)
  return contents?.is === 'shares' ? contents.shares : []
}

/** How long the name in a hello is; 0 without one. */
export function nameLengthOf(hello: CapturedHello): number {
  const data = dataOf(hello, extensionTypes.serverName)
  const contents = data && contentsOf(extensionTypes.serverName, data)
  return contents?.is === 'name' ? contents.length : 0
}

/** How long the whole extension pre_shared_key is; 0 without one. */
export function pskLengthOf(hello: CapturedHello): number {
  const data = dataOf(hello, extensionTypes.preSharedKey)
  return data === undefined ? 0 : 4 + data.length
}

function echDifferences(hello: CapturedHello, profile: Profile): Difference[] {
  const ech = echOf(hello)
  const rule = extensionOf(profile, 'ech_grease')
  // The fields say already that one of them is missing.
  if (ech === undefined || rule === undefined) return []
  const list: Difference[] = []
  const aead = codeOf(ech.aead)
  if (!rule.aeads.includes(aead)) list.push({ field: 'AEAD of ECH', expected: rule.aeads.join(' or '), found: aead })
  const { payload } = rule
  const lengths =
    'oneOf' in payload ? payload.oneOf : [echPayloadLength(payload, nameLengthOf(hello), pskLengthOf(hello))]
  if (!lengths.includes(ech.payloadLength)) {
    const found = `${ech.payloadLength} bytes`
    list.push({ field: 'payload of ECH', expected: `${lengths.join(', ')} bytes`, found })
  }
  return list
}

/** Undefined if there is no share of X25519 alone beside a hybrid one. */
export function hasSameX25519(hello: CapturedHello): boolean | undefined {
  const shares = sharesOf(hello)
  const alone = shares.find(({ group }) => group === X25519)?.key
  const hybrid = shares.find(({ group }) => group === X25519_ML_KEM_768)?.key.subarray(ML_KEM_KEY)
  return alone && hybrid && alone.equals(hybrid)
}

function keyDifferences(hello: CapturedHello, profile: Profile): Difference[] {
  const same = hasSameX25519(hello)
  const expected = extensionOf(profile, 'key_share')?.sameX25519 ?? false
  if (same === undefined || same === expected) return []
  return [{ field: 'keys of X25519', expected: keyRule(expected), found: keyRule(same) }]
}

/** The group of GREASE is one for supported_groups and key_share, and its share is one zero byte. */
function greaseDifferences(hello: CapturedHello): Difference[] {
  const share = sharesOf(hello).find(({ group }) => isGrease(group))
  if (share === undefined) return []
  const data = dataOf(hello, extensionTypes.supportedGroups)
  const contents = data && contentsOf(extensionTypes.supportedGroups, data)
  const groups = contents?.is === 'numbers' ? contents.numbers : []
  const list: Difference[] = []
  if (!groups.includes(share.group)) {
    list.push({ field: 'group of GREASE', expected: 'the same in groups and shares', found: 'two' })
  }
  const key = share.key.toString('hex')
  if (key !== '00') list.push({ field: 'share of GREASE', expected: '00', found: key })
  return list
}
