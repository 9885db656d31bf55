/**
 * One option, declared once: its flag, its key in a file, the kind of its value, its default, and what help and docs/tunnels.md say
 * of it. The property that a program reads is `drainTimeout`; the key and the flag are `drain-timeout` and `--drain-timeout`.
 */
import type { Kind } from './kinds.ts'

interface Spelling {
  /** The default, as a user would write it. */
  readonly defaultText?: string | undefined
  /** The name of the flag, if it is not that of the key. */
  readonly flag?: string | undefined
  /** What stands on the command line without a flag: `LINE`, `TRANSPORT`. */
  readonly argument?: string | undefined
  /** The value of a flag that is not given. In a file the key is required all the same. */
  readonly flagDefault?: string | undefined
}

export interface Option<T> extends Spelling {
  readonly kind: Kind<T>
  /** `required`: it has to be given. `optional`: without it there is no value. `default`: without it there is a certain value. */
  readonly presence: 'required' | 'optional' | 'default'
  /** The value without the option. */
  readonly otherwise: T | undefined
  /** What stands for the value in help: `IP:PORT`. It is empty if the flag takes no value. */
  readonly placeholder: string
  /** What the option does, in one clause. A line break stays one in help. */
  readonly says: string
}

export function required<T>(kind: Kind<T>, placeholder: string, says: string, spelling: Spelling = {}): Option<T> {
  return { kind, presence: 'required', otherwise: undefined, placeholder, says, ...spelling }
}

export function optional<T>(
  kind: Kind<T>,
  placeholder: string,
  says: string,
  spelling: Spelling = {},
): Option<T | undefined> {
  return { kind, presence: 'optional', otherwise: undefined, placeholder, says, ...spelling }
}

export function withDefault<T>(
  kind: Kind<T>,
  otherwise: T,
  placeholder: string,
  says: string,
  spelling: Spelling = {},
): Option<T> {
  return { kind, presence: 'default', otherwise, placeholder, says, ...spelling }
}

/** Options by the name of their property. */
export type Options = Readonly<Record<string, Option<unknown>>>

/** A row for each value of `V`; the compiler asks for all of them. */
export type OptionsOf<V> = { readonly [K in keyof V]-?: Option<V[K]> }

/** `drainTimeout` as `drain-timeout`. */
export function keyOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** The flag of an option, without its dashes. */
export function flagOf(name: string, { flag = keyOf(name) }: Option<unknown>): string {
  return flag
}
