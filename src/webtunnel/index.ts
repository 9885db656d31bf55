/** A webtunnel bridge in a program that has a web server of its own. */
export type { MountedBridge, MountedClient, MountOptions } from './mount.ts'
export { mountWebtunnel } from './mount.ts'
