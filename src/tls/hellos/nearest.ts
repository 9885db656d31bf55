/** The profile of this package that a hello is nearest to. */
import { profiles } from '../profiles/built-in.ts'
import type { Profile } from '../profiles/profile.ts'
import type { CapturedHello } from './client-hello.ts'
import { differences, profileDifferences } from './compare.ts'

/** The one from which the hello differs in the fewest fields. */
export function nearestProfile(hello: CapturedHello): Profile {
  return least((profile) => differences(hello, profile).length)
}

/** The same for a profile; it may be the profile itself. */
export function nearestToProfile(given: Profile): Profile {
  return least((profile) => profileDifferences(profile, given).length)
}

function least(distance: (profile: Profile) => number): Profile {
  return Object.values(profiles).reduce((best, one) => (distance(one) < distance(best) ? one : best))
}
