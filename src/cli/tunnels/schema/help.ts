/** The options of a command, as --help shows them. */
import type { Option, Options } from './option.ts'
import { flagOf } from './option.ts'

/** How wide help is. */
const WIDTH = 120

export interface Help {
  readonly options: Options
  readonly usage: string
  readonly exitStatus: string
}

export function helpOf({ options, usage, exitStatus }: Help): string {
  const flags = Object.entries(options).filter(([, { argument }]) => argument === undefined)
  const heads = flags.map(([name, option]) => `--${flagOf(name, option)} ${option.placeholder}`.trimEnd())
  const column = Math.max(...heads.map((head) => head.length)) + 4
  const lines = flags.map(([, option], at) => {
    const margin = ' '.repeat(column)
    return `  ${heads[at]!}`.padEnd(column) + wrapped(sentenceOf(option), WIDTH - column).join(`\n${margin}`)
  })
  return `${usage}\nOptions:\n${lines.map((line) => `${line.trimEnd()}\n`).join('')}\n${exitStatus}`
}

function sentenceOf({ says, presence, defaultText, flagDefault }: Option<unknown>): string {
  const shown = flagDefault !== undefined || (presence === 'default' && defaultText !== undefined)
  return shown && !defaultText!.startsWith('"') ? `${says} (default ${defaultText})` : says
}

/** Each line as lines of at most `width` characters, broken at spaces. */
function wrapped(text: string, width: number): string[] {
  return text.split('\n').flatMap((line) => {
    const lines = ['']
    for (const word of line.split(' ')) {
      const last = lines.at(-1)!
      if (last === '') lines[lines.length - 1] = word
      else if (last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`
      else lines.push(word)
    }
    return lines
  })
}
