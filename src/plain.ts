/**
 * The plain mode, for those who would rather trust less code than be fast: `POSTERN_PLAIN=1` in the environment.
 *
 *     net.Socket instead of process.binding()      io/tcp/tcp-binding.ts
 *     no pause that gathers bytes                  io/carry/coalesce.ts
 *     node:crypto and @noble instead of WebAssembly  crypto/
 *     no flags of V8 and no gc()                   cli/engine.ts
 *
 * docs/decisions/0065-plain-mode.md says what it leaves as it is, and what it costs.
 */

let plain: boolean | undefined

/** True if this process runs in plain mode. The environment is read once, at the first call. */
export function isPlain(): boolean {
  return (plain ??= process.env['POSTERN_PLAIN'] === '1')
}
