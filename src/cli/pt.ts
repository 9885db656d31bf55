/** `postern pt`: this process as a PT, client or server as its environment says. */
import { messageOf } from '../error.ts'
import { severities } from '../ipc/index.ts'
import type { PtOptions } from '../pt/index.ts'
import { runPt } from '../pt/index.ts'
import type { Profile } from '../tls/profiles/profile.ts'
import { builtIns, builtInTransports } from '../transports/index.ts'
import { tuneEngine } from './engine.ts'
import { loadTransports } from './load-transports.ts'
import { hasLostOption, translateFlags } from './pt-flags.ts'
import { parseArguments, UsageError } from './usage.ts'
import { packageVersion } from './version.ts'

const help = `Usage: postern pt [options]

Runs pluggable transports for the parent process that starts it (tor, or any program that sets the TOR_PT_ variables):

  ClientTransportPlugin obfs4 exec /usr/bin/postern pt
  ServerTransportPlugin obfs4 exec /usr/bin/postern pt

Options:
  --load FILE         adds the transports that a JavaScript module exports; may be given several times
  --transport NAME    offers only this transport; may be given several times
  --profile FILE      the ClientHello of webtunnel and meek: a profile of your own browser, as postern hello capture makes it
  --socks4            says socks4 in CMETHOD (SOCKS 4, 4a and 5 are served either way)
  --half-open         lets each direction of a connection end by itself, as both ends have to; see docs/pt.md
  --log-level LEVEL   error, warning, notice (default), info or debug
  --unsafe-logging    shows addresses in logs; without it they are scrubbed
  --help, --version

obfs4proxy's -enableLogging, -logLevel and -unsafeLogging are understood as well, and as with obfs4proxy a word that is no
option (managed) means nothing, nor does what stands after it.
Exit status: 0 after a graceful stop, 1 after an error that the parent was told, 2 for a wrong command line.
`

export const options = {
  load: { type: 'string', multiple: true },
  transport: { type: 'string', multiple: true },
  profile: { type: 'string' },
  socks4: { type: 'boolean' },
  'half-open': { type: 'boolean' },
  'log-level': { type: 'string' },
  'unsafe-logging': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
} as const

const valued: ReadonlySet<string> = new Set(
  Object.entries(options).flatMap(([name, { type }]) => (type === 'string' ? [`--${name}`] : [])),
)

/** Runs until the parent ends it; returns for --help and --version only. Throws UsageError. */
export async function run(argv: readonly string[]): Promise<number> {
  const { flags, ignored } = translateFlags(argv, valued)
  const { values } = parseArguments({ args: [...flags], options })
  const version = packageVersion()
  if (values.help === true || values.version === true) {
    process.stdout.write(values.help === true ? help : `postern ${version}\n`)
    return 0
  }
  const level = values['log-level'] ?? 'notice'
  const logLevel = severities.find((severity) => severity === level)
  if (logLevel === undefined) throw new UsageError(`--log-level ${level}: expected one of ${severities.join(', ')}`)
  // tor shows stderr as a warning, and `managed` is not worth one.
  if (hasLostOption(ignored)) {
    process.stderr.write(
      `postern: what stands after the word ${JSON.stringify(ignored[0])} is not read, options neither\n`,
    )
  }
  return await runPt({
    transports: async () => await chooseTransports(values.load ?? [], values.transport ?? [], values.profile),
    implementation: { name: 'postern', version },
    socksVersion: values.socks4 === true ? 4 : 5,
    halfOpen: values['half-open'] ?? false,
    unsafeLogging: values['unsafe-logging'] ?? false,
    logLevel,
    onLaunched: tuneEngine,
  })
}

/** Returns what `runPt` takes as its transports; an error goes to the parent. */
async function chooseTransports(
  files: readonly string[],
  only: readonly string[],
  profile: string | undefined,
): Promise<TransportEntries> {
  const builtIn = profile === undefined ? builtIns : builtInTransports({ profile: await profileIn(profile) })
  const loaded = await Promise.all(files.map((file) => loadTransports(file)))
  const all = [...builtIn, ...loaded.flat()]
  const unknown = only.filter((name) => !all.some((transport) => transport.name === name))
  if (unknown.length > 0) {
    const names = all.map((transport) => transport.name).join(', ') || 'none'
    throw new UsageError(`--transport ${unknown.join(', ')}: no such transport; there are: ${names}`)
  }
  return only.length === 0 ? all : all.filter((transport) => only.includes(transport.name))
}

/** The code for profiles is loaded by a PT that is given one. */
async function profileIn(file: string): Promise<Profile> {
  const { readProfile } = await import('../tls/profiles/file.ts')
  try {
    return await readProfile(file)
  } catch (error) {
    throw new Error(`--profile: ${messageOf(error)}`, { cause: error })
  }
}

type TransportEntries = Awaited<ReturnType<Extract<PtOptions['transports'], () => unknown>>>
