/**
 * The command line of `postern pt`, which accepts what obfs4proxy's accepts, so that an operator changes the program's name in
 * torrc and nothing else.
 *
 *     ServerTransportPlugin obfs4 exec /usr/bin/postern pt -enableLogging -logLevel INFO
 *     ClientTransportPlugin obfs4 exec /usr/bin/postern pt managed
 *
 * Go's flag package takes one dash or two, and reads nothing from the first word on that is no flag. Most how-tos say `managed`,
 * and `-enableLogging true` makes a word of `true`.
 */

/** A value follows `=` or, for a flag that is no switch, as the next argument. */
const goFlag = /^--?(enableLogging|unsafeLogging|logLevel|obfs4-distBias|version)(?:=(.*))?$/s

const levels: Readonly<Record<string, string>> = { ERROR: 'error', WARN: 'warning', INFO: 'info', DEBUG: 'debug' }

export interface PtArguments {
  /** The flags alone, those of obfs4proxy as ours. */
  readonly flags: readonly string[]
  /** The first word that is no flag, and all that stands after it. */
  readonly ignored: readonly string[]
}

/** Splits `argv` into flags and the rest. The option names in `valued` take the next argument as their value. */
export function translateFlags(argv: readonly string[], valued: ReadonlySet<string>): PtArguments {
  const flags: string[] = []
  for (let at = 0; at < argv.length; at++) {
    const arg = argv[at]!
    if (!arg.startsWith('-') || arg === '-' || arg === '--') return { flags, ignored: argv.slice(at) }
    const flag = goFlag.exec(arg)
    if (flag === null) {
      flags.push(arg)
      if (valued.has(arg) && at + 1 < argv.length) flags.push(argv[++at]!)
    } else if (flag[1] === 'logLevel') flags.push('--log-level', level(flag[2] ?? argv[++at] ?? ''))
    else if (flag[1] === 'version') flags.push('--version')
    else if (flag[1] === 'unsafeLogging' && isOn(flag[2])) flags.push('--unsafe-logging')
    // The log file of -enableLogging does not exist here: the parent gets LOG.
  }
  return { flags, ignored: [] }
}

/** True if something was ignored that its writer meant to have an effect: an option after a stray word. */
export function hasLostOption(ignored: readonly string[]): boolean {
  return ignored.some((word) => word.startsWith('-') && word !== '-' && word !== '--')
}

function level(value: string): string {
  return levels[value.toUpperCase()] ?? value
}

function isOn(value: string | undefined): boolean {
  return value === undefined || /^(?:1|t|true)$/i.test(value)
}
