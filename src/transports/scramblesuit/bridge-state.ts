/**
 * What makes a server the same server after a restart: its password, the shape of its traffic, how it treats probes, and the
 * keys of the tickets it has given out.
 *
 *     scramblesuit_state.json   {"password": base32 of 20 bytes, "prng-seed": 32 bytes in hex, "drain-bytes": 1532…7660,
 *                                "close-delay": 0…59 s, "ticket-keys": [{"created": s, "cipher": hex, "mac": hex}, …]}
 */
import { randomBytes, randomInt } from 'node:crypto'
import { join } from 'node:path'
import { clearDrafts } from '../../io/files/drafts.ts'
import { createPrivateFile, readPrivateFile, stateError, writePrivateFile } from '../../io/files/private-file.ts'
import { maxHello } from './hello.ts'
import { newPassword, parsePassword } from './password.ts'
import type { TicketGenerations, TicketKeys } from './ticket.ts'
import { newTicketKeys } from './ticket.ts'

export interface BridgeState {
  /** 32 characters of base32. */
  readonly password: string
  /** 32 bytes: the seed of the length distribution, which clients are given. */
  readonly seed: Buffer
  /** A number that is no longer used: earlier versions read so many bytes of a client that does not authenticate before they closed. */
  readonly drainBytes: number
  /** How many seconds beyond the time limit such a client is kept. */
  readonly closeDelay: number
  readonly ticketKeys: TicketGenerations
}

/** Returns the path of the file in `stateDir`. */
export function bridgeStatePath(stateDir: string): string {
  return join(stateDir, 'scramblesuit_state.json')
}

/**
 * Reads the state in the file `path`, which is made if there is none. Rejects with PT_STATE, and leaves the file alone, if it
 * holds something else. If two processes make it, both have the same. `now` in seconds.
 */
export async function openBridgeState(path: string, now: number): Promise<BridgeState> {
  await clearDrafts(path)
  const text = await readPrivateFile(path)
  if (text !== undefined) return parse(path, text)
  const state: BridgeState = {
    password: newPassword(),
    seed: randomBytes(32),
    drainBytes: randomInt(maxHello, 5 * maxHello + 1),
    closeDelay: randomInt(60),
    ticketKeys: [newTicketKeys(now)],
  }
  return parse(path, await createPrivateFile(path, format(state)))
}

/** Saves the state. Rejects with PT_STATE; then the file is as it was. */
export async function saveBridgeState(path: string, state: BridgeState): Promise<void> {
  const text = format(state)
  // What could not be read again would cost the bridge its password at the next start.
  parse(path, text)
  await writePrivateFile(path, text)
}

function format(state: BridgeState): string {
  return JSON.stringify({
    password: state.password,
    'prng-seed': state.seed.toString('hex'),
    'drain-bytes': state.drainBytes,
    'close-delay': state.closeDelay,
    'ticket-keys': state.ticketKeys.filter((keys) => keys !== undefined).map(formatKeys),
  })
}

function formatKeys({ created, cipher, mac }: TicketKeys): Record<string, unknown> {
  return { created, cipher: cipher.toString('hex'), mac: mac.toString('hex') }
}

function parse(path: string, text: string): BridgeState {
  try {
    const json = JSON.parse(text) as Record<string, unknown>
    const password = String(json['password'])
    parsePassword(password)
    return {
      password,
      seed: hexOf(json['prng-seed'], 32),
      drainBytes: integerOf(json['drain-bytes'], maxHello, 5 * maxHello),
      closeDelay: integerOf(json['close-delay'], 0, 59),
      ticketKeys: generationsOf(json['ticket-keys']),
    }
  } catch (error) {
    // The cause is left out: the message of JSON.parse quotes what it read, and that may be a secret.
    throw stateError(
      path,
      `does not hold a scramblesuit server's state${error instanceof SyntaxError ? ': no JSON' : ''}`,
    )
  }
}

function generationsOf(value: unknown): TicketGenerations {
  const [newest, previous] = (value as Record<string, unknown>[]).map((keys) => ({
    // Any time is read; rotateTicketKeys judges one that a wrong clock has written.
    created: integerOf(keys['created'], Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    cipher: hexOf(keys['cipher'], 16),
    mac: hexOf(keys['mac'], 32),
  }))
  if (newest === undefined) throw new TypeError()
  return previous === undefined ? [newest] : [newest, previous]
}

function hexOf(value: unknown, length: number): Buffer {
  if (typeof value !== 'string' || value.length !== 2 * length || !/^[0-9a-fA-F]*$/.test(value)) throw new TypeError()
  return Buffer.from(value, 'hex')
}

function integerOf(value: unknown, least: number, most: number): number {
  if (!Number.isInteger(value) || Number(value) < least || Number(value) > most) throw new TypeError()
  return Number(value)
}
