/**
 * What is wrong with one value. The reader of flags and the reader of files put the name of the option before it, each in its way:
 *
 *     --option-file, line 2: expected KEY=VALUE
 *     tunnels.toml:5: server.ssh.option-file: line 2: expected KEY=VALUE
 */
export class Mistake extends Error {
  override readonly name: string = 'Mistake'
  /** The part of the value that is wrong: the number of an item, the key of a table, or a line of a file. */
  readonly part: Part | undefined

  constructor(message: string, part?: Part) {
    super(message)
    this.part = part
  }
}

export type Part =
  | { readonly item: number }
  | { readonly key: string }
  /** Of a file that the option names. */
  | { readonly line: number }

/** Runs `read`; what it throws becomes a mistake, of `part` if that is given. */
export function readPart<T>(part: Part | undefined, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof Mistake && part === undefined) throw error
    throw new Mistake((error as Error).message, part)
  }
}
