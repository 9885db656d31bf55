/** The profiles that come with this package, by the names that the option `profile` takes. */
import { chromiumPage, chromiumPageNoAes, chromiumWebSocket, chromiumWebSocketNoAes } from './chromium.ts'
import { firefox } from './firefox.ts'
import type { Profile } from './profile.ts'

/**
 * Which program's ClientHello is sent: those of browsers are data with a date, and `node` is Node's own TLS. Those with `no-aes` are of a
 * machine without AES instructions, such as an old telephone.
 */
export type ProfileName =
  'chromium-websocket' | 'chromium-page' | 'chromium-websocket-no-aes' | 'chromium-page-no-aes' | 'firefox' | 'node'

/** The profiles that come with this package; 'node' is node:tls as it is. */
export const profiles: Readonly<Record<Exclude<ProfileName, 'node'>, Profile>> = {
  'chromium-websocket': chromiumWebSocket,
  'chromium-page': chromiumPage,
  'chromium-websocket-no-aes': chromiumWebSocketNoAes,
  'chromium-page-no-aes': chromiumPageNoAes,
  firefox: firefox,
}
