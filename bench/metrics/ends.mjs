// Figures that each end has for itself.

/**
 * One figure for each end and one for both together; none where there is no PT.
 * @param {string} name
 * @param {string} unit
 * @param {readonly number[]} values of the client and the server
 * @returns {import('./index.mjs').Figure[]}
 */
export function bothEnds(name, unit, values) {
  const [client, server] = values
  if (client === undefined || server === undefined) return []
  return [
    { name: `${name}: CPU, client`, unit, better: 'less', value: client },
    { name: `${name}: CPU, server`, unit, better: 'less', value: server },
    { name: `${name}: CPU, both`, unit, better: 'less', value: client + server },
  ]
}
