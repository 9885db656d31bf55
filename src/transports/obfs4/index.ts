/** obfs4 looks like nothing, and answers only clients that know the bridge's cert. */
import type { Transport } from '../../transport.ts'
import { makeObfs4 } from './make.ts'

export const obfs4: Transport = makeObfs4()
