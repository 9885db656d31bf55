/**
 * Which roles a program has, and which transports: it is asked for all names that are known, as each role.
 */
import { PtError } from '../../error.ts'
import type { Environment } from '../../ipc/index.ts'
import { PtLab, transportOptions } from './pt-lab.ts'
import { knownTransports } from './subject.ts'
import type { Role } from '../verdict.ts'

/** How the program is started. */
export interface Launching {
  readonly command: readonly string[]
  readonly env: Environment
  readonly patience: number
  /** Options of a server's transport, `k=v;k=v`. */
  readonly options: string
  readonly signal: AbortSignal | undefined
}

export interface Wanted extends Launching {
  /** Empty: every role that there is. */
  readonly roles: readonly Role[]
  readonly transport: string | undefined
}

/** The transport of each role; the same one for both, if there is such a one. Throws PT_LAUNCH if there is nothing to try. */
export async function discover(wanted: Wanted): Promise<Partial<Record<Role, string>>> {
  const { transport } = wanted
  // A caller that names both knows the program; the probes say what it does not do then.
  if (transport !== undefined && wanted.roles.length > 0) {
    return Object.fromEntries(wanted.roles.map((role) => [role, transport]))
  }
  const names = wanted.transport === undefined ? knownTransports : [wanted.transport]
  const roles: readonly Role[] = wanted.roles.length > 0 ? wanted.roles : ['client', 'server']
  const offers = await Promise.all(roles.map((role) => offered(role, names, wanted)))
  const both = names.find((name) => offers.every(({ transports }) => transports.includes(name)))
  const found: Partial<Record<Role, string>> = {}
  for (const [index, role] of roles.entries()) {
    const name = both ?? offers[index]?.transports[0]
    if (name !== undefined) found[role] = name
    else if (wanted.roles.includes(role)) throw nothing(role, names, offers[index]?.seen ?? '')
  }
  if (Object.keys(found).length === 0) throw nothing('client nor server', names, offers[0]?.seen ?? '')
  return found
}

/** True if the program has this transport in this role. */
export async function offers(role: Role, name: string, program: Launching): Promise<boolean> {
  return (await offered(role, [name], program)).transports.includes(name)
}

async function offered(
  role: Role,
  names: readonly string[],
  wanted: Launching,
): Promise<{ transports: string[]; seen: string }> {
  const { command, env, patience, options, signal } = wanted
  const commands = { [role]: command }
  await using lab = new PtLab({
    commands,
    transports: { [role]: names[0]! },
    env,
    args: '',
    options,
    patience,
    evidence: new Map(),
    launches: [],
    signal,
  })
  const bind = names.map((name) => `${name}-127.0.0.1:0`).join(',')
  const variables =
    role === 'client'
      ? { TOR_PT_CLIENT_TRANSPORTS: names.join(',') }
      : { TOR_PT_SERVER_TRANSPORTS: names.join(','), TOR_PT_SERVER_BINDADDR: bind, ...transportOptions(names, options) }
  const pt = await lab.launch(role, variables)
  await pt.settled(patience)
  const method = role === 'client' ? /^CMETHOD +(\S+)/ : /^SMETHOD +(\S+)/
  const said = new Set(pt.lines.flatMap((line) => method.exec(line)?.[1] ?? []))
  return { transports: names.filter((name) => said.has(name)), seen: pt.seen }
}

function nothing(role: string, names: readonly string[], seen: string): PtError {
  const asked =
    names.length === 1 ? `the transport ${names[0]}` : 'any transport of a known name (--transport names another)'
  return new PtError('PT_LAUNCH', `the program is no ${role} of ${asked}; it said: ${seen.split('\n').join(' | ')}`)
}
