/** The web servers for which there are configurations. */
import { caddyConfiguration } from './caddy.ts'
import type { FrontPlan } from './front-plan.ts'
import { haproxyConfiguration } from './haproxy.ts'
import { nginxConfiguration } from './nginx.ts'

interface Front {
  readonly print: (plan: FrontPlan) => string
  /** The options that this one does not have, by their properties. */
  readonly lacks: readonly string[]
}

export type FrontName = 'nginx' | 'caddy' | 'haproxy'

export const fronts: Readonly<Record<FrontName, Front>> = {
  nginx: { print: nginxConfiguration, lacks: ['site', 'mode'] },
  caddy: { print: caddyConfiguration, lacks: ['site', 'mode'] },
  haproxy: { print: haproxyConfiguration, lacks: ['root', 'key'] },
}

export const frontNames: readonly FrontName[] = ['nginx', 'caddy', 'haproxy']
