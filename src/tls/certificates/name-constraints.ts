/**
 * Name constraints (RFC 5280, section 4.2.1.10): the names that certificates below a CA may carry. DNS names, IP addresses and names of
 * directories are compared; a certificate with a name of another kind that is constrained is refused, as it cannot be judged.
 */
import type { GeneralName } from './certificate.ts'
import { DerReader, tags } from './der.ts'

const PERMITTED = 0xa0
const EXCLUDED = 0xa1
const DNS = 2
const DIRECTORY = 4
const IP = 7

export interface NameConstraints {
  readonly permitted: readonly GeneralName[]
  readonly excluded: readonly GeneralName[]
}

export function readNameConstraints(value: DerReader): NameConstraints {
  const permitted = value.tag === PERMITTED ? readSubtrees(value.inside(PERMITTED)) : []
  const excluded = value.tag === EXCLUDED ? readSubtrees(value.inside(EXCLUDED)) : []
  value.end()
  return { permitted, excluded }
}

/** GeneralSubtree ::= SEQUENCE { base GeneralName, … }: minimum and maximum have to be absent (RFC 5280). */
function readSubtrees(list: DerReader): GeneralName[] {
  const names: GeneralName[] = []
  while (list.left > 0) {
    const subtree = list.inside()
    const { tag, value } = subtree.next()
    subtree.end()
    names.push({ type: tag & 0x1f, value })
  }
  return names
}

/** What keepsConstraints() needs of a certificate. */
export interface Named {
  readonly subject: Buffer
  readonly extensions: { readonly altNames: readonly GeneralName[] }
}

/** A subject without any part: an empty sequence. */
const NO_SUBJECT = 2

/** True if a certificate with these names may stand below a CA with these constraints. */
export function keepsConstraints({ subject, extensions }: Named, constraints: NameConstraints): boolean {
  const own = subject.length === NO_SUBJECT ? [] : [{ type: DIRECTORY, value: subject }]
  return [...extensions.altNames, ...own].every(
    (name) => isPermitted(name, constraints.permitted) && !isExcluded(name, constraints.excluded),
  )
}

function isPermitted(name: GeneralName, permitted: readonly GeneralName[]): boolean {
  const ofType = permitted.filter(({ type }) => type === name.type)
  return ofType.length === 0 || ofType.some((subtree) => lies(name, subtree) === true)
}

/** What cannot be compared counts as excluded. */
function isExcluded(name: GeneralName, excluded: readonly GeneralName[]): boolean {
  return excluded.some(
    (subtree) => subtree.type === name.type && ((lies(name, subtree) ?? true) || mayLie(name, subtree)),
  )
}

/** True if `name` lies within `subtree`, and undefined if names of this kind are not compared here. */
function lies(name: GeneralName, subtree: GeneralName): boolean | undefined {
  if (name.type === DNS) return dnsLies(text(name), text(subtree))
  if (name.type === IP) return ipLies(name.value, subtree.value)
  if (name.type === DIRECTORY) return directoryLies(name.value, subtree.value)
  return undefined
}

/** `example.com` holds itself and all below it, `.example.com` what is below it, and the empty one every name. */
function dnsLies(name: string, subtree: string): boolean {
  const below = subtree.startsWith('.') ? subtree : `.${subtree}`
  return subtree === '' || name === subtree || name.endsWith(below)
}

/** A name such as `*.example.com` stands for names that the subtree may hold. */
function mayLie(name: GeneralName, subtree: GeneralName): boolean {
  const wildcard = text(name)
  return name.type === DNS && wildcard.startsWith('*.') && text(subtree).endsWith(wildcard.slice(1))
}

/** An address and a mask. */
function ipLies(address: Buffer, subtree: Buffer): boolean {
  const { length } = address
  return (
    subtree.length === 2 * length && address.every((byte, at) => ((byte ^ subtree[at]!) & subtree[length + at]!) === 0)
  )
}

/** The parts of `subtree` are the first parts of `name`. */
function directoryLies(name: Buffer, subtree: Buffer): boolean {
  const parts = new DerReader(subtree).next(tags.sequence).value
  return new DerReader(name).next(tags.sequence).value.subarray(0, parts.length).equals(parts)
}

function text({ value }: GeneralName): string {
  return value.toString('latin1').toLowerCase().replace(/\.$/, '')
}
