// What a percentile of latencies is called, and its unit.
const US_PER = { µs: 1, ms: 1_000 }

/** The median and the 99th percentile, of what the load generator measured in µs. */
export function latencies(name, unit, us) {
  return ['p50', 'p99'].map((percentile) => ({
    name: `${name}, ${percentile}`,
    unit,
    better: 'less',
    value: us[percentile] / US_PER[unit],
  }))
}
