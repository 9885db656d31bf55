/**
 * SOCKS as a client: a parent asks a PT client for a connection in this way, and a PT client its upstream proxy.
 * Section "Per-Connection Arguments"; RFC 1928, RFC 1929, SOCKS 4 and 4a. client-messages.ts has the bytes.
 *
 * Nothing is pipelined: goptlib takes bytes that arrive before their turn for an error.
 */
import type { Duplex } from 'node:stream'
import type { ArgsInit } from '../ipc/index.ts'
import { silenceErrors } from '../io/ends.ts'
import { readExactly } from '../io/read.ts'
import type { Login5 } from './client-messages.ts'
import {
  BOUND4_LENGTH,
  BOUND_LENGTH,
  checkLogin,
  checkReply4,
  checkReply5,
  encodeConnect4,
  encodeConnect5,
  encodeGreeting,
  encodeLogin,
  login5,
  parseBoundType,
  parseMethod,
  requireTarget,
  VERDICT_LENGTH,
} from './client-messages.ts'
import { aSignal, checkArgument, checkOptions } from '../options.ts'
import { aConnection, requestChecks } from './option-checks.ts'
import { methods } from './wire.ts'

/** What connectSocks asks a SOCKS server for. */
export interface SocksClientRequest {
  /** 4 is SOCKS 4 for an IPv4 target and 4a for a host name. */
  readonly version: 4 | 5
  /** `host:port`, IPv6 in brackets. A host name is resolved by the server. */
  readonly target: string
  /** Per-connection arguments, for a PT client. */
  readonly args?: ArgsInit | undefined
  /** A user, for a proxy; not together with `args`. SOCKS 5 wants a password, SOCKS 4 has none. */
  readonly credentials?: { readonly user: string; readonly password?: string | undefined } | undefined
}

/**
 * Negotiates on `conn` and resolves once the server has granted the connection; bytes that follow its reply stay in `conn`.
 * On every rejection `conn` is destroyed; what cannot be sent is found before the first byte is.
 *
 * Rejects with PT_OPTION, PT_ARGS (arguments over 510 bytes with SOCKS 5 or with a NUL in SOCKS 4, a user name that does not fit),
 * PT_ADDRESS (the target, or IPv6 with SOCKS 4), PT_SOCKS_REFUSED (`reply` is the code of a refused request), PT_SOCKS
 * (no SOCKS server), PT_CLOSED, the connection's own error, or the signal's reason.
 */
export async function connectSocks(conn: Duplex, request: SocksClientRequest, signal?: AbortSignal): Promise<void> {
  checkArgument('connectSocks', 'conn', conn, aConnection)
  checkOptions('connectSocks', request, requestChecks)
  if (signal !== undefined) checkArgument('connectSocks', 'signal', signal, aSignal)
  // Without a listener an error between two reads would end the process; the next read reports it.
  silenceErrors(conn)
  try {
    signal?.throwIfAborted()
    if (request.version === 4) await negotiate4(conn, request, signal)
    else await negotiate5(conn, request, signal)
  } catch (error) {
    conn.destroy()
    throw error
  }
}

async function negotiate5(conn: Duplex, request: SocksClientRequest, signal?: AbortSignal): Promise<void> {
  await ask5(conn, login5(request), encodeConnect5(requireTarget(request.target)), signal)
}

/** Logs in and asks; resolves with the address in the reply, as bytes, and whether it is IPv4, IPv6 or a name. */
export async function ask5(
  conn: Duplex,
  login: Login5,
  request: Uint8Array,
  signal?: AbortSignal,
): Promise<{ bound: Buffer; isName: boolean }> {
  conn.write(encodeGreeting(login.methods))
  const method = parseMethod(await readExactly(conn, 2, signal), login.methods)
  if (method === methods.password) {
    conn.write(encodeLogin(login))
    checkLogin(await readExactly(conn, 2, signal))
  }
  conn.write(request)
  checkReply5(await readExactly(conn, VERDICT_LENGTH, signal))
  const bound = parseBoundType(await readExactly(conn, BOUND_LENGTH, signal))
  const isName = bound === 'name'
  const length = isName ? (await readExactly(conn, 1, signal))[0]! + 2 : bound
  return { bound: await readExactly(conn, length, signal), isName }
}

async function negotiate4(conn: Duplex, request: SocksClientRequest, signal?: AbortSignal): Promise<void> {
  conn.write(encodeConnect4(requireTarget(request.target), request))
  checkReply4(await readExactly(conn, VERDICT_LENGTH, signal))
  await readExactly(conn, BOUND4_LENGTH, signal)
}
