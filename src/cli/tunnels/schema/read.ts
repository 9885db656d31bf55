/** Values out of what was written: flags of a command line, or a table of a file. */
import type { ParseArgsConfig } from 'node:util'
import { UsageError } from '../../usage.ts'
import type { Flag } from './kinds.ts'
import { Mistake } from './mistake.ts'
import type { Naming } from './naming.ts'
import { flagNaming, OptionMistake } from './naming.ts'
import type { Option, Options, OptionsOf } from './option.ts'
import { flagOf, keyOf } from './option.ts'

type FlagConfig = NonNullable<ParseArgsConfig['options']>

/** What parseArgs of node:util wants to know of these options. */
export function flagConfig(options: Options): FlagConfig {
  const entries = Object.entries(options).filter(([, { argument }]) => argument === undefined)
  return Object.fromEntries(
    entries.map(([name, option]) => {
      const { words } = option.kind
      const short = name === 'help' ? { short: 'h' } : {}
      return [
        flagOf(name, option),
        { type: words === 'none' ? 'boolean' : 'string', multiple: words === 'many', ...short },
      ]
    }),
  )
}

/** What parseArgs gives, and the arguments without a flag by their placeholder. */
export type Given = Readonly<Record<string, Flag | undefined | readonly (string | boolean)[]>>

/** The values of flags. Throws UsageError, which names the flag. `command` begins a message about one that is missing. */
export function readFlags<V>(command: string, options: OptionsOf<V>, given: Given): V {
  const naming = flagNaming(options)
  return asUsageError(
    () =>
      valuesOf(options, (name, option) => {
        const raw = given[option.argument ?? flagOf(name, option)] ?? option.flagDefault
        if (raw !== undefined) return option.kind.fromFlag(raw as Flag)
        if (option.presence === 'required') throw new UsageError(`${command}: ${naming.of(name)} is missing`)
        return option.otherwise
      }),
    naming,
  )
}

/** Runs `act`; a mistake in an option becomes a UsageError that begins with the option's name. */
export function asUsageError<T>(act: () => T, naming: Naming): T {
  try {
    return act()
  } catch (error) {
    if (!(error instanceof OptionMistake)) throw error
    throw new UsageError(`${naming.of(error.option, error.part)}: ${error.message}`)
  }
}

/** The values of a table of a file. Throws OptionMistake, also for a key that no option has. */
export function readTable<V>(options: OptionsOf<V>, table: Readonly<Record<string, unknown>>, folder: string): V {
  const values = valuesOf(options, (name, option) => {
    const key = keyOf(name)
    if (Object.hasOwn(table, key)) return option.kind.fromToml(table[key], folder)
    if (option.presence === 'required') throw new Mistake('it is missing')
    return option.otherwise
  })
  const known = new Set(Object.keys(options).map(keyOf))
  const stranger = Object.keys(table).find((key) => !known.has(key))
  if (stranger !== undefined) throw new OptionMistake(stranger, 'there is no such key', undefined, stranger)
  return values
}

function valuesOf<V>(options: OptionsOf<V>, read: (name: string, option: Option<unknown>) => unknown): V {
  const entries = Object.entries(options as Options).map(([name, option]) => {
    try {
      return [name, read(name, option)]
    } catch (error) {
      if (error instanceof Mistake) throw new OptionMistake(name, error.message, error.part)
      throw error
    }
  })
  return Object.fromEntries(entries) as V
}
