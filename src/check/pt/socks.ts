/**
 * SOCKS requests as raw bytes, each message after the answer to the one before, and what became of them.
 *
 *     05 01 02   01 n uname 01 00   05 01 00 01 addr port        04 01 port addr userid 00 [name 00]
 */
import type { Address } from '../../ipc/index.ts'
import type { Wire } from '../lab/wire.ts'
import { hex } from '../lab/wire.ts'

export interface SocksOutcome {
  readonly granted: boolean
  /** What was answered, for a report. */
  readonly seen: string
  /** How far it came. */
  readonly stage: 'greeting' | 'login' | 'request'
}

export interface SocksOptions {
  /** Every byte in a packet of its own. */
  readonly trickle?: boolean
  /** All messages in one packet. */
  readonly pipelined?: boolean
  /** The methods that are offered. Default: 02 with arguments, else 00. */
  readonly methods?: readonly number[]
  /** The command of the request. Default 1, CONNECT. */
  readonly command?: number
  /** The time for each answer, in milliseconds. */
  readonly patience?: number
}

const FIELD = 255

/** Writes a SOCKS 5 request for a target; a host name goes as one. */
function connect5({ host, port }: Address, command: number): Buffer {
  const octets = host.split('.').map(Number)
  const numeric = octets.length === 4 && octets.every((octet) => octet >= 0 && octet < 256)
  const address = numeric ? [1, ...octets] : [3, host.length, ...Buffer.from(host)]
  return Buffer.of(5, command, 0, ...address, port >> 8, port & 255)
}

/** Writes UNAME and PASSWD of RFC 1929, cut as ARGS-4 and ARGS-5 say. */
function login5(args: Uint8Array): Buffer {
  const uname = args.subarray(0, FIELD)
  const passwd = args.length > FIELD ? args.subarray(FIELD) : Buffer.of(0)
  return Buffer.concat([Buffer.of(1, uname.length), uname, Buffer.of(passwd.length), passwd])
}

/** Writes a SOCKS 4 request; a host name makes it one of SOCKS 4a. */
function connect4({ host, port }: Address, userid: string): Buffer {
  const octets = host.split('.').map(Number)
  const named = octets.length !== 4
  // 0.0.0.1 says that a host name follows the USERID.
  const head = Buffer.of(4, 1, port >> 8, port & 255, ...(named ? [0, 0, 0, 1] : octets))
  const tail = named ? `${userid}\0${host}\0` : `${userid}\0`
  return Buffer.concat([head, Buffer.from(tail, 'latin1')])
}

/** Asks for `target` by SOCKS 5. */
export async function socks5(
  wire: Wire,
  target: Address,
  args: string,
  options: SocksOptions = {},
): Promise<SocksOutcome> {
  const { patience = 10_000, methods = args === '' ? [0] : [2] } = options
  const list = Buffer.from(args, 'latin1')
  const greeting = Buffer.of(5, methods.length, ...methods)
  const login = args === '' ? Buffer.alloc(0) : login5(list)
  const request = connect5(target, options.command ?? 1)
  const say = async (bytes: Buffer): Promise<void> => {
    if (options.trickle === true) await wire.trickle(bytes)
    else if (options.pipelined !== true) wire.write(bytes)
  }
  if (options.pipelined === true) wire.write(Buffer.concat([greeting, login, request]))
  await say(greeting)
  const chosen = await wire.take(2, patience)
  if (chosen[0] !== 5 || !methods.includes(chosen[1]!)) return refused('greeting', `method answer ${hex(chosen)}`)
  if (chosen[1] === 2) {
    await say(login)
    const answer = await wire.take(2, patience)
    if (answer.length < 2 || answer[1] !== 0) return refused('login', `login answer ${hex(answer)}`)
  }
  await say(request)
  const reply = await wire.take(4, patience)
  if (reply.length < 4 || reply[0] !== 5 || reply[1] !== 0) return refused('request', `reply ${hex(reply)}`)
  const bound = reply[3] === 4 ? 16 : reply[3] === 3 ? (await wire.take(1, patience))[0]! : 4
  const tail = await wire.take(bound + 2, patience)
  return { granted: true, stage: 'request', seen: `reply ${hex(Buffer.concat([reply, tail]))}` }
}

/** Asks for `target` by SOCKS 4. */
export async function socks4(
  wire: Wire,
  target: Address,
  args: string,
  options: SocksOptions = {},
): Promise<SocksOutcome> {
  const bytes = connect4(target, args)
  if (options.trickle === true) await wire.trickle(bytes)
  else wire.write(bytes)
  const reply = await wire.take(8, options.patience ?? 10_000)
  const granted = reply.length === 8 && reply[1] === 0x5a
  return granted
    ? { granted, stage: 'request', seen: `reply ${hex(reply)}` }
    : refused('request', `reply ${hex(reply)}`)
}

function refused(stage: SocksOutcome['stage'], seen: string): SocksOutcome {
  return { granted: false, stage, seen }
}
