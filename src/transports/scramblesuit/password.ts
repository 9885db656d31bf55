/**
 * The secret between client and bridge, k_B: 20 bytes, given as `password=` and 32 characters of base32.
 */
import { randomBytes } from 'node:crypto'
import type { Args } from '../../transport.ts'
import { ArgumentError } from '../argument.ts'
import { decodeBase32, encodeBase32 } from './base32.ts'

/** The bytes of k_B. */
const secretLength = 20
const characters = (secretLength * 8) / 5

/** Makes a new secret, as the operator hands it out. */
export function newPassword(): string {
  return encodeBase32(randomBytes(secretLength))
}

/**
 * Reads k_B from the argument `password`; undefined if there is none. People who copy a password write lower case, 1 for I,
 * 0 for O and a padding, so these are read as well. Throws PT_ARGS, and never repeats it.
 */
export function passwordOf(args: Args): Buffer | undefined {
  const password = args.get('password')
  return password === undefined ? undefined : parsePassword(password)
}

/** Reads k_B of a client, which has to have one. Throws PT_ARGS. */
export function requirePassword(args: Args): Buffer {
  const secret = passwordOf(args)
  if (secret === undefined) throw new ArgumentError('password')
  return secret
}

/** Reads k_B from a password as people write it. Throws PT_ARGS. */
export function parsePassword(password: string): Buffer {
  const text = password.toUpperCase().replaceAll('1', 'I').replaceAll('0', 'O').replace(/=*$/, '')
  const secret = decodeBase32(text)
  if (secret?.length === secretLength) return secret
  const why = /^[A-Z2-7]*$/.test(text)
    ? `it has ${text.length} characters instead of ${characters}`
    : 'it holds characters other than A to Z and 2 to 7'
  throw new ArgumentError('password', why)
}
