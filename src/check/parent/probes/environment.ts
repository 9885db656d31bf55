/** Probes of the environment that a parent gives to its PT. Sections "Common", "Client" and "Server Environment Variables". */
import { isAbsolute } from 'node:path'
import { isVersion, parseTransportOptions } from '../../../ipc/index.ts'
import type { Probe } from '../../probe.ts'
import { notApplicable } from '../../probe.ts'
import type { Role } from '../../verdict.ts'
import type { ParentLab } from '../parent-lab.ts'
import type { PlayedPt } from '../played-pt.ts'

/** Variables of an earlier parent, which say nothing about this one. */
const stale = { TOR_PT_PROXY: 'socks5://192.0.2.99:9', TOR_PT_AUTH_COOKIE_FILE: '/nowhere/stale' }

/** The PT as the parent launched it, with a stale environment of its own. */
async function launched(lab: ParentLab): Promise<PlayedPt> {
  return await lab.evidence('launched', async (lab) => (await lab.session(stale)).pt)
}

type Judge = (env: Readonly<Record<string, string | undefined>>) => boolean | string

function environmentProbe(role: Role, id: string, title: string, expected: string, judge: Judge): Probe<ParentLab> {
  return {
    ids: [id],
    role,
    title,
    async run(lab) {
      const pt = await launched(lab)
      const verdict = judge(pt.env)
      if (typeof verdict === 'string') notApplicable(verdict)
      lab.expect(verdict, { sent: 'the parent started, with a stale TOR_PT_PROXY', expected, seen: pt.variables })
    },
  }
}

const names = (list: string | undefined): string[] => (list ?? '').split(',').filter((name) => name !== '')
const boundNames = (env: Parameters<Judge>[0]): string[] =>
  names(env['TOR_PT_SERVER_BINDADDR']).map((item) => item.slice(0, item.indexOf('-')))

const common = (role: Role): Probe<ParentLab>[] => [
  environmentProbe(
    role,
    'FLOW-1',
    'it launches the PT as a sub-process with its environment',
    'a PT with its variables',
    (env) => Object.keys(env).some((name) => name.startsWith('TOR_PT_')),
  ),
  environmentProbe(role, 'ENV-1', 'it says which versions it speaks', 'TOR_PT_MANAGED_TRANSPORT_VER, a list', (env) =>
    (env['TOR_PT_MANAGED_TRANSPORT_VER'] ?? '').split(',').every((version) => isVersion(version)),
  ),
  environmentProbe(role, 'ENV-4', 'the state directory is an absolute path', 'TOR_PT_STATE_LOCATION, absolute', (env) =>
    isAbsolute(env['TOR_PT_STATE_LOCATION'] ?? ''),
  ),
]

const client: readonly Probe<ParentLab>[] = [
  environmentProbe(
    'client',
    'CENV-1',
    'it names the transports',
    'TOR_PT_CLIENT_TRANSPORTS, a list of names',
    (env) => {
      const list = names(env['TOR_PT_CLIENT_TRANSPORTS'])
      return list.length > 0 && list.every((name) => /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name))
    },
  ),
  environmentProbe(
    'client',
    'CENV-5',
    'it hands on no stale TOR_PT_PROXY',
    'TOR_PT_PROXY of its own or none',
    (env) => env['TOR_PT_PROXY'] !== stale.TOR_PT_PROXY,
  ),
]

const server: readonly Probe<ParentLab>[] = [
  environmentProbe(
    'server',
    'SENV-1',
    'it names the transports',
    'TOR_PT_SERVER_TRANSPORTS, a list of names',
    (env) => names(env['TOR_PT_SERVER_TRANSPORTS']).length > 0,
  ),
  environmentProbe(
    'server',
    'SENV-4',
    'options are escaped',
    'TOR_PT_SERVER_TRANSPORT_OPTIONS that can be read',
    (env) => {
      const list = env['TOR_PT_SERVER_TRANSPORT_OPTIONS']
      if (!list) return 'it passes no options'
      return reads(list)
    },
  ),
  environmentProbe('server', 'SENV-5', 'options may be left out', 'no options, or some', () => true),
  environmentProbe(
    'server',
    'SENV-7',
    'bind addresses come in the order of the names',
    'the order of the names',
    (env) => {
      const order = names(env['TOR_PT_SERVER_TRANSPORTS'])
      const at = boundNames(env).map((name) => order.indexOf(name))
      return at.length === 0 ? 'it passes no bind addresses' : at.every((index, i) => index >= (at[i - 1] ?? 0))
    },
  ),
  environmentProbe('server', 'SENV-9', 'one bind address for a transport', 'no name twice', (env) =>
    boundNames(env).length === 0
      ? 'it passes no bind addresses'
      : new Set(boundNames(env)).size === boundNames(env).length,
  ),
  environmentProbe(
    'server',
    'SENV-12',
    'without ExtORPort its variable is empty',
    'an address, or nothing',
    (env) => env['TOR_PT_EXTENDED_SERVER_PORT'] !== undefined,
  ),
  environmentProbe('server', 'SENV-14', 'without ExtORPort there is no cookie file', 'no cookie file', (env) =>
    env['TOR_PT_EXTENDED_SERVER_PORT'] ? 'it uses ExtORPort' : env['TOR_PT_AUTH_COOKIE_FILE'] === undefined,
  ),
]

export const environmentProbes = (role: Role): Probe<ParentLab>[] => [
  ...common(role),
  ...(role === 'client' ? client : server),
]

function reads(list: string): boolean {
  try {
    parseTransportOptions(list)
    return true
  } catch {
    return false
  }
}
