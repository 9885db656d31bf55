/**
 * How an option and its parts are called in messages, which depends on the place at which its user wrote it.
 *
 *                     on a command line          in a file
 *     option          --listen, LINE             listen, bridges
 *     an item         LINE 1, --option 2         bridges.1
 *     a line of       --file, line 2             file, line 2
 */
import type { Part } from './mistake.ts'
import type { Options } from './option.ts'
import { flagOf, keyOf } from './option.ts'

export interface Naming {
  /** The option whose property is `name`, or a part of it. */
  of(name: string, part?: Part): string
}

/** An option that is wrong, alone or together with others. */
export class OptionMistake extends Error {
  override readonly name: string = 'OptionMistake'
  /** The property of the option. */
  readonly option: string
  readonly part: Part | undefined
  /** Its key in a file. */
  readonly key: string

  constructor(option: string, message: string, part?: Part, key: string = keyOf(option)) {
    super(message)
    this.option = option
    this.part = part
    this.key = key
  }
}

export function flagNaming(options: Options): Naming {
  return {
    of(name, part) {
      const option = options[name]
      const word = option === undefined ? keyOf(name) : (option.argument ?? `--${flagOf(name, option)}`)
      return part === undefined ? word : `${word}${flagPart(part)}`
    },
  }
}

function flagPart(part: Part): string {
  if ('item' in part) return ` ${part.item}`
  return 'line' in part ? `, line ${part.line}` : `: ${part.key}`
}

export const keyNaming: Naming = {
  of: (name, part) => {
    if (part === undefined) return keyOf(name)
    if ('line' in part) return `${keyOf(name)}, line ${part.line}`
    return `${keyOf(name)}.${'item' in part ? part.item : part.key}`
  },
}
