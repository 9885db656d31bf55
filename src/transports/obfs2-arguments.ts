/** obfs2 takes no arguments, and refuses the one that others know. */
import type { Args } from '../ipc/index.ts'
import { unsupported } from './argument.ts'

/** A bridge with a shared secret would not understand us, nor we its clients: better said than tried. Throws PT_ARGS. */
export function requireNoSharedSecret(args: Args): void {
  if (args.has('shared-secret')) throw unsupported('shared-secret')
}
