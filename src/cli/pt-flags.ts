/**
 * The flags of obfs4proxy, so that an operator changes the program's name in torrc and nothing else.
 *
 *     ServerTransportPlugin obfs4 exec /usr/bin/postern pt -enableLogging -logLevel INFO
 */

/** Go takes one dash or two; a value follows `=` or, for a flag that is no switch, as the next argument. */
const goFlag = /^--?(enableLogging|unsafeLogging|logLevel|obfs4-distBias|version)(?:=(.*))?$/s

const levels: Readonly<Record<string, string>> = { ERROR: 'error', WARN: 'warning', INFO: 'info', DEBUG: 'debug' }

/** `argv` with obfs4proxy's flags in our words. The log file of -enableLogging does not exist here: the parent gets LOG. */
export function translateFlags(argv: readonly string[]): string[] {
  const translated: string[] = []
  for (let at = 0; at < argv.length; at++) {
    const arg = argv[at]!
    const flag = goFlag.exec(arg)
    if (flag === null) translated.push(arg)
    else if (flag[1] === 'logLevel') translated.push('--log-level', level(flag[2] ?? argv[++at] ?? ''))
    else if (flag[1] === 'version') translated.push('--version')
    else if (flag[1] === 'unsafeLogging' && isOn(flag[2])) translated.push('--unsafe-logging')
  }
  return translated
}

function level(value: string): string {
  return levels[value.toUpperCase()] ?? value
}

function isOn(value: string | undefined): boolean {
  return value === undefined || /^(?:1|t|true)$/i.test(value)
}
