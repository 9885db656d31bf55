/**
 * Evidence that several probes read: a plain start, starts that must fail, and a day in the life of a PT with everything that
 * happens to one. Each is made once in a check.
 */
import { readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Environment } from '../../ipc/index.ts'
import { formatAddress } from '../../ipc/index.ts'
import type { Launched } from '../lab/launch.ts'
import { cannotTell, Finding } from '../probe.ts'
import type { Folders, PtLab } from './pt-lab.ts'
import { joined } from './pt-lab.ts'
import type { Role } from '../verdict.ts'
import type { Listener, Wire } from '../lab/wire.ts'

/** The addresses of clients and of bridges in the evidence: nothing has them by chance. */
export const CLIENT_HOST = '127.77.66.55'
export const BRIDGE_HOST = '127.88.77.66'
/** The value of an argument that no transport needs. */
export const SECRET = 'verysecretvalue4711'

/** How long something is waited for that must not happen, in milliseconds. */
export const QUIET = 300

/** How long the end of a process may take. */
export const END_TIME = 5_000

export interface Day {
  readonly pt: Launched
  /** What it wrote into files, by path, its state directory's and those in its home. */
  readonly files: ReadonlyMap<string, string>
  /** Files outside its state directory, created or held open for writing. */
  readonly astray: readonly string[]
  /** What happened to it, in words. */
  readonly sent: string
}

/** Starts the program with nothing special in its environment, and waits until its start is over. */
export async function plainStart(lab: PtLab, role: Role): Promise<Launched> {
  return await lab.evidence(`plain ${role}`, async (lab) => {
    const pt = await lab.launch(role)
    await pt.settled(lab.patience)
    // What comes after DONE is part of it.
    await pt.ends(QUIET)
    return pt
  })
}

/** Returns its lines that announce the transport `name`; another probe judges how many spaces are in them. */
export function announcements(pt: Launched, role: Role, name: string): string[] {
  const own = new RegExp(`^${role === 'client' ? 'C' : 'S'}METHOD +${name} `)
  return pt.lines.filter((line) => own.test(line))
}

export function announces(pt: Launched, role: Role, name: string): boolean {
  return announcements(pt, role, name).length > 0
}

/** Environments that no PT can work with. */
function badEnvironments(role: Role, name: string): readonly Environment[] {
  const common = [{ TOR_PT_CLIENT_TRANSPORTS: undefined, TOR_PT_SERVER_TRANSPORTS: undefined }]
  if (role === 'client') return common
  return [
    ...common,
    { TOR_PT_ORPORT: undefined },
    { TOR_PT_ORPORT: 'nonsense' },
    { TOR_PT_ORPORT: '127.0.0.1:70000' },
    { TOR_PT_SERVER_BINDADDR: `${name}-127.0.0.1` },
    { TOR_PT_SERVER_BINDADDR: `${name}-127.0.0.1:70000` },
    { TOR_PT_SERVER_BINDADDR: `${name}-127.0.0.1:0,${name}-127.0.0.1:0` },
    { TOR_PT_SERVER_TRANSPORT_OPTIONS: `${name}:noequalsign` },
    // There is no ORPort besides: a PT that takes that one instead breaks SENV-11.
    { TOR_PT_ORPORT: undefined, TOR_PT_EXTENDED_SERVER_PORT: '127.0.0.1:9', TOR_PT_AUTH_COOKIE_FILE: undefined },
    { TOR_PT_ORPORT: undefined, TOR_PT_EXTENDED_SERVER_PORT: 'nonsense', TOR_PT_AUTH_COOKIE_FILE: '/nowhere' },
  ]
}

export interface FailedStart {
  readonly pt: Launched
  /** The index of its ENV-ERROR among the lines; -1 without. */
  readonly at: number
}

/** Starts the program with each of the bad environments, and waits until it has ended or had time to. */
export async function failedStarts(lab: PtLab, role: Role): Promise<readonly FailedStart[]> {
  return await lab.evidence(`failed ${role}`, async (lab) => {
    const changes = badEnvironments(role, lab.transport(role))
    return await Promise.all(changes.map((change) => failedStart(lab, role, change)))
  })
}

async function failedStart(lab: PtLab, role: Role, change: Environment): Promise<FailedStart> {
  const pt = await lab.launch(role, change)
  await pt.until(/^(?:ENV-ERROR|[CS]METHODS DONE)/, lab.patience)
  const at = pt.lines.findIndex((line) => /^ENV-ERROR(?: |$)/.test(line))
  if (at !== -1) await pt.ends(END_TIME)
  return { pt, at }
}

/** Launches the program with a proxy URI, and waits until it has answered and settled. */
export async function answerTo(lab: PtLab, uri: string): Promise<Launched> {
  return await lab.evidence(`proxy ${uri}`, async (lab) => {
    const pt = await lab.launch('client', { TOR_PT_PROXY: uri })
    await pt.settled(lab.patience)
    if (pt.lines.some((line) => line.startsWith('PROXY-ERROR'))) await pt.ends(END_TIME)
    return pt
  })
}

/** Leads the program through such a day, in both roles or in the one that it has. */
export async function dayOf(lab: PtLab, role: Role): Promise<Day> {
  const days = await lab.evidence('day', async (lab) => await liveThroughADay(lab))
  return days[role] ?? cannotTell(`there was no day of a ${role}`)
}

async function liveThroughADay(lab: PtLab): Promise<Partial<Record<Role, Day>>> {
  const app = await lab.echo()
  const folders = { client: await lab.folders(), server: await lab.folders() }
  const roles = (['client', 'server'] as const).filter((role) => lab.subject.commands[role] !== undefined)
  const has = (role: Role): boolean => roles.includes(role)
  const server = has('server')
    ? await lab.server({ TOR_PT_ORPORT: formatAddress(app.address) }, folders.server)
    : undefined
  const client = has('client') ? await lab.client({}, folders.client) : undefined
  const bridge = await tap(lab, server?.method.address)
  if (client !== undefined) {
    const args = joined(server?.method.args ?? '', lab.subject.args)
    const secret = joined(args, `pad=${SECRET}`)
    const { wire } = await lab.dial(client, bridge.address, args, { patience: 5_000 })
    wire.write('the bytes of a day')
    await wire.take(18, server === undefined ? QUIET : 3_000)
    wire.socket.end()
    const nobody = await closedAddress(lab)
    await lab.dial(client, nobody, secret, { patience: 5_000 })
    await lab.dial(client, bridge.address, `${secret};=`, { patience: 5_000 })
    await noise(await lab.open(client.method.address), 'GET / HTTP/1.0\r\n\r\n')
  }
  if (server !== undefined) await noise(await lab.open(server.method.address, CLIENT_HOST), 'x'.repeat(9_000))
  const days: Partial<Record<Role, Day>> = {}
  for (const role of roles) {
    const pt = role === 'client' ? client! : server!
    days[role] = await review(
      pt,
      folders[role],
      'a connection that works, one to a closed port, malformed ones, SIGTERM',
    )
  }
  return days
}

/** Opens an address of the bridge that nothing else has; clients reach it from an address that nothing else has either. */
async function tap(lab: PtLab, server: Listener['address'] | undefined): Promise<Listener> {
  try {
    return (await lab.way(server, { localAddress: CLIENT_HOST, host: BRIDGE_HOST })).listener
  } catch {
    throw new Finding('unknown', 'this system has no loopback addresses besides 127.0.0.1')
  }
}

async function closedAddress(lab: PtLab): Promise<Listener['address']> {
  const listener = await lab.listen(undefined, BRIDGE_HOST)
  await listener.close()
  return listener.address
}

async function noise(wire: Wire | undefined, bytes: string): Promise<void> {
  wire?.write(bytes)
  await wire?.rest(QUIET)
  wire?.socket.destroy()
}

async function review(pt: Launched, folders: Folders, sent: string): Promise<Day> {
  const open = await openForWriting(pt.child.pid ?? 0, folders)
  pt.child.kill('SIGTERM')
  await pt.ends(END_TIME)
  const files = await filesIn(folders.folder)
  const created = [...files.keys()].filter((path) => !path.startsWith(folders.stateDir))
  return { pt, files, astray: [...new Set([...created, ...open])], sent }
}

async function filesIn(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => !entry.isDirectory()).map(({ parentPath, name }) => join(parentPath, name))
  return new Map(await Promise.all(paths.map(async (path) => [path, await contentOf(path)] as const)))
}

async function contentOf(path: string): Promise<string> {
  return await readFile(path, 'latin1').catch(() => '')
}

/** Returns the regular files that a process holds open for writing, outside its state directory. Linux only; empty elsewhere. */
async function openForWriting(pid: number, { stateDir }: Folders): Promise<string[]> {
  const fds = await readdir(`/proc/${pid}/fd`).catch(() => [])
  const paths = await Promise.all(fds.map(async (fd) => await writable(pid, fd)))
  return paths.filter((path) => path !== undefined).filter((path) => !path.startsWith(stateDir))
}

async function writable(pid: number, fd: string): Promise<string | undefined> {
  try {
    const path = await readlink(`/proc/${pid}/fd/${fd}`)
    const flags = /^flags:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/fdinfo/${fd}`, 'latin1'))?.[1] ?? '0'
    const regular = path.startsWith('/') && !/^\/(?:dev|proc|sys|memfd)/.test(path)
    return regular && (Number.parseInt(flags, 8) & 3) !== 0 ? path : undefined
  } catch {
    return undefined
  }
}
