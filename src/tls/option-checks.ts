/** What the options of connectTls have to be. The compiler wants a row for every option. */
import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'
import type { Check, Checks } from '../options.ts'
import { aBoolean, aSignal, aString, either, expecting, listOf, milliseconds, oneOf, optional } from '../options.ts'
import { pinLength } from './certificates/pin.ts'
import { readPem } from './certificates/roots.ts'
import type { ConnectTlsOptions } from './connect.ts'
import { profiles } from './profiles/built-in.ts'
import { profileFault } from './profiles/check.ts'
import { TicketStore } from './tickets.ts'

export const aStream: Check = expecting('a Duplex', (value) => {
  const { read, write } = (value ?? {}) as Record<string, unknown>
  return typeof read === 'function' && typeof write === 'function'
})

/** A name as it goes into a hello: letters, digits, hyphens, and dots between them. */
const aHostName = expecting('the name of a host in ASCII, or an IP address', isHost)

function isHost(value: unknown): boolean {
  if (typeof value !== 'string') return false
  return (
    isIP(value) > 0 ||
    (/^(?:[\w-]{1,63}\.)*[\w-]{1,63}$/.test(value) && value.length < 254 && domainToASCII(value) !== '')
  )
}

const names: readonly string[] = [...Object.keys(profiles), 'node']

const aProfile: Check = (value, path) => {
  if (typeof value === 'string') return oneOf(...names)(value, path)
  const fault = profileFault(value)
  return fault && `${path} cannot be used: ${fault}`
}

const somePem = expecting('certificates in PEM', (value) => typeof value === 'string' && readPem(value).length > 0)

const aProtocol = expecting('a name of 1 to 255 bytes', (value) => {
  return aString(value, '') === undefined && /^[\x21-\x7e]{1,255}$/.test(value as string)
})

export const connectTlsChecks: Checks<ConnectTlsOptions> = {
  profile: optional(aProfile),
  servername: aHostName,
  verifyName: optional(
    expecting("a name of a host in ASCII, an IP address, or '*'", (value) => value === '*' || isHost(value)),
  ),
  pin: optional(expecting('32 bytes', (value) => value instanceof Uint8Array && value.length === pinLength)),
  alpn: optional(listOf(aProtocol, 'names of protocols')),
  roots: optional(either('certificates in PEM, or a list of them', somePem, listOf(somePem, ''))),
  tickets: optional(expecting('a TicketStore', (value) => value instanceof TicketStore)),
  mayEndAbruptly: optional(aBoolean),
  timeout: optional(milliseconds(1)),
  signal: optional(aSignal),
}
