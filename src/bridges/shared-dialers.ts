/**
 * One dialer for all tunnels that want the same. With a PT that is one process for each kind of tunnel, and not one for each tunnel.
 */
import type { OpenBridgeOptions, OpenDialer } from './bridge.ts'
import { openDialer } from './bridge.ts'

interface Entry {
  readonly opening: Promise<OpenDialer>
  users: number
}

/** Gives tunnels with the same transports and options one PT process together. */
export class SharedDialers {
  readonly #entries = new Map<string, Entry>()

  /**
   * Opens as openDialer does. The dialer ends after the last of its users has called `cleanUp`. `sort` tells dialers apart whose options
   * are the same otherwise, such as those of transports that were made with another choice.
   */
  async open(names: readonly string[], options: OpenBridgeOptions, sort = ''): Promise<OpenDialer> {
    const { exec, proxy, stateDir, connectTimeout, halfOpen, likePt, require } = options
    const key = JSON.stringify([
      exec,
      proxy,
      stateDir,
      connectTimeout,
      halfOpen,
      likePt,
      require,
      sort,
      [...new Set(names)].sort(),
    ])
    const entry = this.#entries.get(key) ?? { opening: openDialer(names, options), users: 0 }
    this.#entries.set(key, entry)
    entry.users++
    const release = async (): Promise<void> => {
      if (--entry.users > 0) return
      this.#entries.delete(key)
      await (await entry.opening).cleanUp()
    }
    try {
      const { dialer } = await entry.opening
      return { dialer, cleanUp: release }
    } catch (error) {
      // A later try may have made an entry of its own by now.
      if (this.#entries.get(key) === entry) this.#entries.delete(key)
      throw error
    }
  }
}
